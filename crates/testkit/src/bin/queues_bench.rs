//! What many queues cost: `queues_bench DIR TOPICS MESSAGES [halt]`, `queues_bench DIR TOPICS MESSAGES turns BATCH`.
//!
//! Opens the store, puts MESSAGES of 128 bytes in batches of 32 round the 4 queues of each of TOPICS topics, and closes it, or
//! ends without (`halt`). One JSON line: how long opening and closing took, CPU time per put (all threads), memory.
//!
//! With `turns` the four queues of one topic get as many messages again, in turns of some 30 ms, so that whatever else the
//! machine does meets both. The JSON line is puts a second of each.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::{MessageStore, PutBatch, QueueHandle, StoreConfig};
use rocketmq_testkit::{KeyedProperties, body_of, plain_message};

type Outcome<T> = Result<T, Box<dyn Error>>;

const BATCH: usize = 32;

/// Messages of a turn.
const TURN: usize = 64 * 1024;

const BODY_BYTES: usize = 128;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, topics, messages, rest @ ..] = arguments.as_slice() else {
        return Err("usage: queues_bench DIR TOPICS MESSAGES [halt|turns BATCH]".into());
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
    if let [turns, batch] = rest
        && turns == "turns"
    {
        return take_turns(&store, &queues, messages, batch.parse()?);
    }
    let cpu = cpu_ns()?;
    let started = Instant::now();
    Load::new(&queues, BATCH).put(&store, messages)?;
    let put_ms = started.elapsed().as_millis();
    // What the puts leave to be done is part of their price.
    std::thread::sleep(Duration::from_millis(1_500));
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

fn take_turns(store: &MessageStore, queues: &[QueueHandle], messages: usize, batch: usize) -> Outcome<()> {
    let mut loads = [Load::new(&queues[..4], batch), Load::new(queues, batch)];
    let mut spent = [Duration::ZERO; 2];
    for _ in 0..messages / TURN {
        for (load, spent) in loads.iter_mut().zip(&mut spent) {
            let started = Instant::now();
            load.put(store, TURN)?;
            *spent += started.elapsed();
        }
    }
    store.close()?;
    let put = (messages / TURN * TURN) as f64;
    let [few, many] = spent.map(|spent| put / spent.as_secs_f64());
    let queues = queues.len();
    writeln!(std::io::stdout(), "{{\"queues\":{queues},\"perSecond\":{many:.0},\"toFourPerSecond\":{few:.0}}}")?;
    Ok(())
}

/// Puts to queues in turn.
struct Load<'q> {
    round: std::iter::Cycle<std::slice::Iter<'q, QueueHandle>>,
    batch: PutBatch,
    body: Vec<u8>,
    properties: Vec<KeyedProperties>,
    number: usize,
}

impl<'q> Load<'q> {
    fn new(queues: &'q [QueueHandle], batch: usize) -> Self {
        let properties = (0..batch).map(|_| KeyedProperties::default()).collect();
        let round = queues.iter().cycle();
        Self { round, batch: PutBatch::new(), body: body_of(BODY_BYTES), properties, number: 0 }
    }

    fn put(&mut self, store: &MessageStore, messages: usize) -> Outcome<()> {
        let Self { round, batch, body, properties, number } = self;
        for _ in 0..messages / properties.len() {
            batch.clear();
            for (properties, queue) in properties.iter_mut().zip(&mut *round) {
                *number += 1;
                batch.push(store, &plain_message(queue, body, properties.of(*number)))?;
            }
            let _flushed_in_the_background = store.put(batch)?;
        }
        Ok(())
    }
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
