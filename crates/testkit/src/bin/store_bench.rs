//! Rates of the store in process: `store_bench DIR put|putSync|get THREADS BODY_BYTES SECONDS [BATCH]`.
//!
//! The work of the Java yardstick: puts carry a unique key and a key, go round 4 queues, dispatch runs. One JSON line.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::{HostAddr, MessageStore, PutBatch, PutMessage, Queue, StoreConfig};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TOPIC: &str = "Bench";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, mode, threads, body_bytes, seconds, rest @ ..] = arguments.as_slice() else {
        return Err("usage: store_bench DIR put|putSync|get THREADS BODY_BYTES SECONDS [BATCH]".into());
    };
    let threads: usize = threads.parse()?;
    let body_bytes: usize = body_bytes.parse()?;
    let seconds: u64 = seconds.parse()?;
    let batch: usize = rest.first().map_or(Ok(1), |text| text.parse())?;
    let started = Instant::now();
    let store = MessageStore::open(StoreConfig::new(directory), Arc::new(OsFs), Arc::new(SystemClock::new()))?;
    let open_seconds = started.elapsed().as_secs_f64();
    let count = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| -> Outcome<()> {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let (store, count, stop, mode) = (&store, &count, &stop, mode.as_str());
                scope.spawn(move || match mode {
                    "get" => get(store, first as i32 & 3, count, stop),
                    _ => put(store, body_bytes, batch, mode == "putSync", (count, stop)),
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_panic| "a worker panicked")?)
    })?;
    let rate = count.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{{\"store\":\"native\",\"mode\":\"{mode}\",\"threads\":{threads},\"bytes\":{body_bytes},\"batch\":{batch},\
         \"perSecond\":{rate:.0},\"openSeconds\":{open_seconds:.3}}}"
    )?;
    store.close()?;
    Ok(())
}

fn put(
    store: &MessageStore,
    body_bytes: usize,
    batch_len: usize,
    sync: bool,
    (count, stop): (&AtomicU64, &AtomicBool),
) -> Outcome<()> {
    let body: Vec<u8> = (0..body_bytes).map(|index| (index * 31 + 7) as u8).collect();
    let queues: Vec<Arc<Queue>> = (0..4).map(|queue_id| store.queue(TOPIC, queue_id)).collect::<Result<_, _>>()?;
    let host = HostAddr::from("127.0.0.1:1234".parse::<std::net::SocketAddr>()?);
    let mut batch = PutBatch::new();
    let mut number = 0_usize;
    while !stop.load(Ordering::Relaxed) {
        batch.clear();
        for _ in 0..batch_len {
            let message = PutMessage {
                queue: &queues[number & 3],
                flag: 0,
                sys_flag: 0,
                born_timestamp: 1_700_000_000_000,
                born_host: host,
                store_host: host,
                reconsume_times: 0,
                prepared_transaction_offset: 0,
                body: &body,
                properties: "KEYS\u{1}k1234567\u{2}UNIQ_KEY\u{1}7F0000010000789F0000000000000000\u{2}WAIT\u{1}true\u{2}",
            };
            batch.push(store, &message)?;
            number += 1;
        }
        let ticket = store.put(&mut batch)?;
        if sync {
            store.wait_flushed(ticket.end, Duration::from_secs(5))?;
        }
        count.fetch_add(batch_len as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn get(store: &MessageStore, queue_id: i32, count: &AtomicU64, stop: &AtomicBool) -> Outcome<()> {
    let mut offset = store.min_offset(TOPIC, queue_id);
    let mut out = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        out.clear();
        let result = store.get(TOPIC, queue_id, offset, 32, usize::MAX, None, &mut out)?;
        offset = if result.count > 0 { result.next_begin_offset } else { store.min_offset(TOPIC, queue_id) };
        count.fetch_add(result.count as u64, Ordering::Relaxed);
    }
    Ok(())
}
