//! The channels of one client, and the one timer that ends their requests at their deadlines.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{Clock, sleep};
use tokio::sync::Notify;

use crate::channel::Channel;
use crate::channel_handler::{ChannelHandler, ChannelOptions, FailureKind};
use crate::connection::uptime_ms;
use crate::event_loops::EventLoops;

/// The channels of one client.
pub struct Channels<H: ChannelHandler> {
    shared: Arc<Shared<H>>,
}

/// What the channels of a client have in common.
pub(crate) struct Shared<H: ChannelHandler> {
    pub(crate) handler: Arc<H>,
    pub(crate) loops: Arc<EventLoops>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: ChannelOptions,
    channels: Mutex<HashMap<String, Arc<Channel<H>>>>,
    /// Requests that wait, over all channels.
    pub(crate) pending_requests: AtomicUsize,
    pub(crate) closed: AtomicBool,
    /// The deadline that the sweeper sleeps towards.
    sweep_at_ms: AtomicU64,
    sweep_earlier: Notify,
}

impl<H: ChannelHandler> Channels<H> {
    /// A set without channels; they appear as they are used.
    pub fn new(handler: Arc<H>, loops: Arc<EventLoops>, clock: Arc<dyn Clock>, options: ChannelOptions) -> Self {
        let shared = Arc::new(Shared {
            handler,
            loops,
            clock,
            options,
            channels: Mutex::default(),
            pending_requests: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            sweep_at_ms: AtomicU64::new(u64::MAX),
            sweep_earlier: Notify::new(),
        });
        shared.loops.spawn(sweep(Arc::clone(&shared)));
        Self { shared }
    }

    /// The handler given to [`Channels::new`].
    pub fn handler(&self) -> &Arc<H> {
        &self.shared.handler
    }

    /// The channel to `address` (`host:port`), the same one each time.
    pub fn channel(&self, address: &str) -> Arc<Channel<H>> {
        let mut channels = self.shared.channels.lock();
        if let Some(channel) = channels.get(address) {
            return Arc::clone(channel);
        }
        let channel = Arc::new(Channel::new(address, Arc::clone(&self.shared)));
        channels.insert(address.to_owned(), Arc::clone(&channel));
        channel
    }

    /// Fails what waits and closes every connection. Later submissions fail at once.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.sweep_earlier.notify_one();
        let channels: Vec<_> = self.shared.channels.lock().drain().map(|(_, channel)| channel).collect();
        for channel in channels {
            channel.end(FailureKind::Closed, "the client was shut down");
        }
    }
}

impl<H: ChannelHandler> Drop for Channels<H> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<H: ChannelHandler> Shared<H> {
    /// Makes sure that requests due at `deadline_ms` are ended then.
    pub(crate) fn sweep_no_later_than(&self, deadline_ms: u64) {
        if self.sweep_at_ms.fetch_min(deadline_ms, Ordering::AcqRel) > deadline_ms {
            self.sweep_earlier.notify_one();
        }
    }
}

/// Ends requests at their deadlines: one timer for all, set to the earliest.
async fn sweep<H: ChannelHandler>(shared: Arc<Shared<H>>) {
    while !shared.closed.load(Ordering::Acquire) {
        let now = uptime_ms(&shared.clock);
        let at = shared.sweep_at_ms.load(Ordering::Acquire);
        if at <= now {
            shared.sweep_at_ms.store(u64::MAX, Ordering::Release);
            let channels: Vec<_> = shared.channels.lock().values().cloned().collect();
            let next = channels.iter().filter_map(|channel| channel.expire(now)).min();
            shared.sweep_at_ms.fetch_min(next.unwrap_or(u64::MAX), Ordering::AcqRel);
            continue;
        }
        tokio::select! {
            () = shared.sweep_earlier.notified() => {}
            () = async {
                if at == u64::MAX {
                    std::future::pending::<()>().await;
                }
                sleep(&shared.clock, Duration::from_millis(at - now)).await;
            } => {}
        }
    }
}
