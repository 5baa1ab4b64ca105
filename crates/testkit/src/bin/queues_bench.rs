//! What many queues cost: `queues_bench DIR TOPICS MESSAGES [halt]`.
//!
//! Opens the store, puts MESSAGES of 100 bytes in batches of 32 round the 4 queues of each of TOPICS topics, and closes it, or
//! ends without (`halt`). One JSON line: how long opening and closing took, CPU time per put (all threads), memory.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::{MessageStore, PutBatch, Queue, StoreConfig};
use rocketmq_testkit::plain_message;

type Outcome<T> = Result<T, Box<dyn Error>>;

const BATCH: usize = 32;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, topics, messages, rest @ ..] = arguments.as_slice() else {
        return Err("usage: queues_bench DIR TOPICS MESSAGES [halt]".into());
    };
    let (topics, messages): (usize, usize) = (topics.parse()?, messages.parse()?);
    let started = Instant::now();
    let store = MessageStore::open(StoreConfig::new(directory), Arc::new(OsFs), Arc::new(SystemClock::new()))?;
    let (open_ms, open_rss) = (started.elapsed().as_millis(), rss_bytes()?);
    let mut queues = Vec::new();
    for topic in 0..topics {
        for queue_id in 0..4 {
            queues.push(store.queue(&format!("Topic-{topic}"), queue_id)?);
        }
    }
    let cpu = cpu_ns()?;
    let started = Instant::now();
    put(&store, &queues, messages)?;
    let put_ms = started.elapsed().as_millis();
    // What the puts leave to be done is part of their price.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let cpu_ns_per_put = (cpu_ns()? - cpu) / messages.max(1) as u64;
    let put_rss = rss_bytes()?;
    let halt = rest.first().is_some_and(|word| word == "halt");
    let started = Instant::now();
    if !halt {
        store.close()?;
    }
    let close_ms = started.elapsed().as_millis();
    writeln!(
        std::io::stdout(),
        "{{\"queues\":{},\"openMs\":{open_ms},\"openRss\":{open_rss},\"messages\":{messages},\"putMs\":{put_ms},\
         \"cpuNsPerPut\":{cpu_ns_per_put},\"putRss\":{put_rss},\"closeMs\":{close_ms}}}",
        store.queues().len()
    )?;
    std::process::exit(0);
}

fn put(store: &MessageStore, queues: &[Arc<Queue>], messages: usize) -> Outcome<()> {
    let mut batch = PutBatch::new();
    let mut round = queues.iter().cycle();
    for _ in 0..messages / BATCH {
        batch.clear();
        let message = |queue| plain_message(queue, &[b'x'; 100], "TAGS\u{1}tag\u{2}");
        batch.push_all(store, &round.by_ref().take(BATCH).map(message).collect::<Vec<_>>())?;
        let _flushed_in_the_background = store.put(&mut batch)?;
    }
    Ok(())
}

/// Of all threads, in user and kernel mode: `utime` and `stime` of the process, in ticks of 10 ms.
fn cpu_ns() -> Outcome<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()? * 10_000_000)
}

fn rss_bytes() -> Outcome<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    Ok(pages.split_whitespace().nth(1).unwrap_or_default().parse::<u64>()? * 4096)
}
