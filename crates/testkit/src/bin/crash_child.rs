//! Puts messages until it is killed: `crash_child DIR THREADS sync|async`.
//!
//! Prints a line for each acknowledged message, with `sync` after its fdatasync: queue id, queue offset, physical offset, body.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::{FlushDiskType, MessageStore, PutBatch, StoreConfig};
use rocketmq_testkit::plain_message;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, threads, flush] = arguments.as_slice() else {
        return Err("usage: crash_child DIR THREADS sync|async".into());
    };
    let (is_sync, flush_disk_type) = match flush.as_str() {
        "sync" => (true, FlushDiskType::SyncFlush),
        _ => (false, FlushDiskType::AsyncFlush),
    };
    let config = StoreConfig {
        commit_log_segment_bytes: 256 * 1024,
        consume_queue_segment_bytes: 4_000,
        flush_disk_type,
        flush_interval_consume_queue: Duration::from_millis(20),
        flush_consume_queue_thorough_interval: Duration::from_millis(50),
        ..StoreConfig::new(directory)
    };
    let store = MessageStore::open(config, Arc::new(OsFs), Arc::new(SystemClock::new()))?;
    let workers: Vec<_> = (0..threads.parse()?)
        .map(|queue_id| {
            let store = Arc::clone(&store);
            thread::spawn(move || put_for_ever(&store, queue_id, is_sync))
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_panic| "a worker panicked")??;
    }
    Ok(())
}

fn put_for_ever(store: &MessageStore, queue_id: i32, is_sync: bool) -> Outcome<()> {
    let queue = store.queue("Crash", queue_id)?;
    let mut batch = PutBatch::new();
    for number in 0_u64.. {
        batch.clear();
        let bodies: Vec<String> =
            (0..=number % 3).map(|index| format!("{}-{queue_id}-{number}-{index}", std::process::id())).collect();
        for body in &bodies {
            batch.push(store, &plain_message(&queue, body.as_bytes(), ""))?;
        }
        let ticket = store.put(&mut batch)?;
        if is_sync {
            store.wait_flushed(ticket.end, Duration::from_secs(60))?;
        }
        let mut out = std::io::stdout().lock();
        for (index, body) in bodies.iter().enumerate() {
            let put = batch.outcome(index).ok_or("no outcome")?;
            writeln!(out, "{queue_id} {} {} {body}", put.queue_offset, put.physical_offset)?;
        }
        out.flush()?;
    }
    Ok(())
}
