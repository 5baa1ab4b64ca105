//! What threads share of a whole store. Run by Miri too (see CONTRIBUTING.md).
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::*;
use rocketmq_env::{FaultFs, VirtualClock};
use rocketmq_store::{FlushDiskType, StoreConfig};

const THREADS: i32 = 2;
const PUTS: usize = 2;

#[test]
fn what_several_threads_put_and_wait_for_is_readable_found_by_key_and_on_disk() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let config = StoreConfig { flush_disk_type: FlushDiskType::SyncFlush, ..small("/store") };
    let store = open_with(config.clone(), &fs, &clock).unwrap();
    thread::scope(|scope| {
        for queue_id in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in 0..PUTS {
                    let (_, ticket) =
                        put_tagged(store, "Topic", queue_id, &[number as u8], "KEYS\u{1}key\u{2}").unwrap();
                    store.wait_flushed(ticket.end, Duration::from_secs(3600)).unwrap();
                }
            });
        }
        scope.spawn(|| {
            while (0..THREADS).any(|queue_id| read_all(&store, "Topic", queue_id).len() < PUTS) {
                thread::yield_now();
            }
        });
    });
    let found = store.query("Topic", "key", 100, 0, i64::MAX).unwrap();
    assert_eq!(found.physical_offsets.len(), THREADS as usize * PUTS);
    fs.power_cut(1);
    drop(store);
    let store = open_with(config, &fs, &clock).unwrap();
    for queue_id in 0..THREADS {
        assert_eq!(read_all(&store, "Topic", queue_id), (0..PUTS).map(|number| vec![number as u8]).collect::<Vec<_>>());
    }
    store.close().unwrap();
}
