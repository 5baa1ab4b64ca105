//! Threads that each run one single-threaded tokio runtime, as Netty's event loops do: a connection lives on one of
//! them, so its state is not passed between cores.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// A fixed set of event loops. Dropping it stops them; tasks that are still on them are dropped where they wait.
#[derive(Debug)]
pub struct EventLoops {
    handles: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    next: AtomicUsize,
}

impl EventLoops {
    /// Starts `count` loops (at least one) in threads called `name-0`, `name-1`, ...
    pub fn new(count: usize, name: &str) -> io::Result<Arc<Self>> {
        let (stop, _) = watch::channel(false);
        let mut loops = Self { handles: Vec::new(), threads: Vec::new(), stop, next: AtomicUsize::new(0) };
        for index in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_io().build()?;
            let mut stopped = loops.stop.subscribe();
            loops.handles.push(runtime.handle().clone());
            loops.threads.push(std::thread::Builder::new().name(format!("{name}-{index}")).spawn(move || {
                runtime.block_on(async move {
                    // An error means that the set is gone, which is a stop as well.
                    let _ = stopped.wait_for(|stop| *stop).await;
                });
            })?);
        }
        Ok(Arc::new(loops))
    }

    /// How many event loops suit this machine: one a core, at most eight.
    pub fn default_count() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from).min(8)
    }

    /// The loop that the next connection should live on (round robin).
    pub fn next(&self) -> &Handle {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        &self.handles[index]
    }

    /// The first loop, for duties that are not tied to a connection.
    pub fn first(&self) -> &Handle {
        &self.handles[0]
    }

    /// Runs `task` on the first loop.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.first().spawn(task);
    }
}

impl Drop for EventLoops {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            // The last owner may be a task on one of these very threads, which cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
