//! Rates of the store in process; StoreLoad.java in benches/store does the same for Apache's.
//!
//! `store_bench DIR put|putSync|putSyncCalled|get|pwrite THREADS BODY_BYTES SECONDS WARMUP_SECONDS [BATCH]` prints a rate: puts
//! carry a unique key and a key, go round 4 queues, dispatch and index run. `putSyncCalled` drives THREADS writers from one
//! thread: each is called when its message is on disk, and puts the next, as the connections of a broker do. `pwrite` writes
//! BATCH encoded records at a time to plain files that are new, as those of a log are, and stay: what the file system allows. `store_bench DIR fill BODY_BYTES MIB` fills a store and `store_bench DIR open` opens
//! one; both end without closing it. One JSON line.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rocketmq_codec::message::{RecordFields, encode_record};
use rocketmq_env::{Fs, OpenMode, OsFs, SystemClock};
use rocketmq_store::{FlushDiskType, HostAddr, MessageStore, PutBatch, QueueHandle, Reads, StoreConfig};
use rocketmq_testkit::{KeyedProperties, body_of, plain_message};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TOPIC: &str = "Bench";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (per_second, open_seconds) = match words.as_slice() {
        [directory, "open"] => {
            let (_store, open_seconds) = open(directory, "open")?;
            (0.0, open_seconds)
        }
        [directory, "fill", body_bytes, mib] => {
            let (store, open_seconds) = open(directory, "fill")?;
            fill(&store, body_bytes.parse()?, mib.parse::<u64>()? << 20)?;
            (0.0, open_seconds)
        }
        [directory, mode, threads, body_bytes, seconds, warmup, rest @ ..] => {
            let load = Load {
                threads: threads.parse()?,
                body_bytes: body_bytes.parse()?,
                seconds: seconds.parse()?,
                warmup_seconds: warmup.parse()?,
                batch: rest.first().map_or(Ok(1), |text| text.parse())?,
            };
            measure(directory, mode, &load)?
        }
        _ => {
            return Err("usage: store_bench DIR open | DIR fill BODY_BYTES MIB | DIR MODE ...".into());
        }
    };
    let mut out = std::io::stdout();
    writeln!(out, "{{\"perSecond\":{per_second:.0},\"openSeconds\":{open_seconds:.3}}}")?;
    out.flush()?;
    // Without the destructors: what was not closed stays so.
    std::process::exit(0)
}

struct Load {
    threads: usize,
    body_bytes: usize,
    seconds: u64,
    warmup_seconds: u64,
    batch: usize,
}

fn open(directory: &str, mode: &str) -> Outcome<(Arc<MessageStore>, f64)> {
    let flush_disk_type =
        if mode.starts_with("putSync") { FlushDiskType::SyncFlush } else { FlushDiskType::AsyncFlush };
    let config = StoreConfig { flush_disk_type, ..StoreConfig::new(directory) };
    let started = Instant::now();
    let store = MessageStore::open(config, Arc::new(OsFs), Arc::new(SystemClock::new()))?;
    Ok((store, started.elapsed().as_secs_f64()))
}

/// Messages a second, and how long opening took.
fn measure(directory: &str, mode: &str, load: &Load) -> Outcome<(f64, f64)> {
    let (store, open_seconds) = open(directory, mode)?;
    let count = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let per_second = thread::scope(|scope| -> Outcome<f64> {
        let threads = if mode == "putSyncCalled" { 1 } else { load.threads };
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let (store, counters) = (&store, (&count, &stop));
                scope.spawn(move || match mode {
                    "get" => get(store, first as i32 & 3, counters),
                    "pwrite" => pwrite(directory, load, counters),
                    "putSyncCalled" => put_called(store, load, counters),
                    _ => put(store, load, mode == "putSync", counters),
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(load.warmup_seconds));
        let (before, started) = (count.load(Ordering::Relaxed), Instant::now());
        thread::sleep(Duration::from_secs(load.seconds));
        let per_second = (count.load(Ordering::Relaxed) - before) as f64 / started.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_panic| "a worker panicked")?)?;
        Ok(per_second)
    })?;
    store.close()?;
    Ok((per_second, open_seconds))
}

fn queues_of(store: &MessageStore) -> Outcome<Vec<QueueHandle>> {
    (0..4).map(|queue_id| Ok(store.queue(TOPIC, queue_id)?)).collect()
}

fn fill(store: &MessageStore, body_bytes: usize, bytes: u64) -> Outcome<()> {
    let (body, queues) = (body_of(body_bytes), queues_of(store)?);
    let mut batch = PutBatch::new();
    let mut properties = KeyedProperties::default();
    let mut number = 0_usize;
    while (store.max_physical_offset() as u64) < bytes {
        batch.clear();
        for _ in 0..64 {
            batch.push(store, &plain_message(&queues[number & 3], &body, properties.of(number)))?;
            number += 1;
        }
        store.put(&mut batch)?;
    }
    Ok(store.wait_flushed(store.max_physical_offset(), Duration::from_secs(600))?)
}

fn put(store: &MessageStore, load: &Load, sync: bool, (count, stop): (&AtomicU64, &AtomicBool)) -> Outcome<()> {
    let (body, queues) = (body_of(load.body_bytes), queues_of(store)?);
    let mut batch = PutBatch::new();
    let mut properties = KeyedProperties::default();
    let mut number = 0_usize;
    while !stop.load(Ordering::Relaxed) {
        batch.clear();
        for _ in 0..load.batch {
            batch.push(store, &plain_message(&queues[number & 3], &body, properties.of(number)))?;
            number += 1;
        }
        let ticket = store.put(&mut batch)?;
        if sync {
            store.wait_flushed(ticket.end, Duration::from_secs(5))?;
        }
        count.fetch_add(load.batch as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// One thread for all writers; the channel tells it whose message is on disk.
fn put_called(store: &MessageStore, load: &Load, (count, stop): (&AtomicU64, &AtomicBool)) -> Outcome<()> {
    let (body, queues) = (body_of(load.body_bytes), queues_of(store)?);
    let mut batch = PutBatch::new();
    let mut properties = KeyedProperties::default();
    let (flushed, ready) = mpsc::channel();
    (0..load.threads).try_for_each(|_writer| flushed.send(Ok(())))?;
    let mut number = 0_usize;
    while !stop.load(Ordering::Relaxed) {
        ready.recv()??;
        batch.clear();
        batch.push(store, &plain_message(&queues[number & 3], &body, properties.of(number)))?;
        let ticket = store.put(&mut batch)?;
        let flushed = flushed.clone();
        // At the end nobody listens any more.
        store.when_flushed(ticket.end, Box::new(move |outcome| drop(flushed.send(outcome))));
        number += 1;
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Writes records of the same length to gigabyte files, one after the other.
fn pwrite(directory: &str, load: &Load, (count, stop): (&AtomicU64, &AtomicBool)) -> Outcome<()> {
    const FILE_BYTES: u64 = 1 << 30;
    let fields = RecordFields {
        topic: TOPIC,
        queue_id: 0,
        flag: 0,
        sys_flag: 0,
        born_timestamp: 0,
        born_host: HostAddr::from(SocketAddr::from(([127, 0, 0, 1], 1234))),
        store_host: HostAddr::from(SocketAddr::from(([127, 0, 0, 1], 1234))),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: &body_of(load.body_bytes),
        body_crc: 0,
        properties: KeyedProperties::TEMPLATE,
    };
    let mut records = Vec::new();
    for _ in 0..load.batch {
        encode_record(&mut records, &fields)?;
    }
    for number in 0.. {
        let file = OsFs.open(&Path::new(directory).join(format!("pwrite-{number}")), OpenMode::CreateNew)?;
        file.set_len(FILE_BYTES)?;
        let mut at = 0;
        while at + records.len() as u64 <= FILE_BYTES {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            file.write_all_at(&records, at)?;
            at += records.len() as u64;
            count.fetch_add(load.batch as u64, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn get(store: &MessageStore, queue_id: i32, (count, stop): (&AtomicU64, &AtomicBool)) -> Outcome<()> {
    let mut offset = store.min_offset(TOPIC, queue_id)?;
    let mut shown_bytes = 0;
    while !stop.load(Ordering::Relaxed) {
        let result = store.get_each(TOPIC, queue_id, offset, 32, usize::MAX, None, Reads::Head, |record| {
            shown_bytes += record.len();
            true
        })?;
        offset = if result.count > 0 { result.next_begin_offset } else { store.min_offset(TOPIC, queue_id)? };
        count.fetch_add(result.count as u64, Ordering::Relaxed);
    }
    if shown_bytes == 0 { Err("no message was found".into()) } else { Ok(()) }
}
