//! Reads or writes a store directory, to compare it with what Apache's store reads and writes.
//!
//! `store_tool dump|fill DIR COMMIT_LOG_FILE_BYTES CONSUME_QUEUE_FILE_BYTES [MESSAGES] [halt]`
//!
//! Prints one line per message: topic, queue id, queue offset, physical offset, store timestamp, CRC of the body, tag or `-`
//! (the lines of `__test__/interop/java/StoreWriter.java`). `dump` orders them by topic, queue and offset. `fill` adds
//! MESSAGES messages; with `halt` it ends without closing the store.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use rocketmq_codec::message::{body_crc, decode_record, properties};
use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::{HostAddr, MessageStore, PutBatch, PutMessage, Queue, StoreConfig};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, directory, log_bytes, queue_bytes, rest @ ..] = arguments.as_slice() else {
        return Err(
            "usage: store_tool dump|fill DIR COMMIT_LOG_FILE_BYTES CONSUME_QUEUE_FILE_BYTES [MESSAGES] [halt]".into()
        );
    };
    let config = StoreConfig {
        commit_log_segment_bytes: log_bytes.parse()?,
        consume_queue_segment_bytes: queue_bytes.parse()?,
        ..StoreConfig::new(directory)
    };
    let store = MessageStore::open(config, Arc::new(OsFs), Arc::new(SystemClock::new()))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match command.as_str() {
        "dump" => dump(&store, &mut out)?,
        "fill" => fill(&store, rest.first().ok_or("how many messages?")?.parse()?, &mut out)?,
        other => return Err(format!("unknown command {other}").into()),
    }
    out.flush()?;
    if rest.get(1).is_some_and(|word| word == "halt") {
        std::process::exit(0);
    }
    store.close()?;
    Ok(())
}

fn dump(store: &MessageStore, out: &mut impl Write) -> Outcome<()> {
    let mut queues = store.queues();
    queues.sort_by_key(|queue| (Arc::clone(queue.topic()), queue.queue_id()));
    for queue in queues {
        dump_queue(store, &queue, out)?;
    }
    Ok(())
}

fn dump_queue(store: &MessageStore, queue: &Queue, out: &mut impl Write) -> Outcome<()> {
    let mut offset = queue.min_offset();
    let mut records = Vec::new();
    while offset < queue.max_offset() {
        records.clear();
        let result = store.get(queue.topic(), queue.queue_id(), offset, 32, usize::MAX, None, &mut records)?;
        if result.count == 0 {
            return Err(format!("{} {} {offset}: {:?}", queue.topic(), queue.queue_id(), result.status).into());
        }
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            let (record, size) = decode_record(rest, true)?;
            let tag = properties::get(&record.properties, "TAGS").unwrap_or("-");
            let (topic, queue_id, crc) = (&record.topic, record.queue_id, body_crc(record.body));
            let (offset, physical, time) = (record.queue_offset, record.physical_offset, record.store_timestamp);
            writeln!(out, "{topic} {queue_id} {offset} {physical} {time} {crc} {tag}")?;
            rest = rest.get(size..).unwrap_or_default();
        }
        offset = result.next_begin_offset;
    }
    Ok(())
}

fn fill(store: &MessageStore, messages: usize, out: &mut impl Write) -> Outcome<()> {
    let topics = ["Alpha".to_owned(), "Beta-topic".to_owned(), format!("long_{}", "t".repeat(195))];
    let mut batch = PutBatch::new();
    let mut number = 0;
    while number < messages {
        let count = if number % 50 == 42 { 8 } else { 1 }.min(messages - number);
        batch.clear();
        let mut bodies = Vec::new();
        for number in number..number + count {
            let topic = topics.get(number % topics.len()).ok_or("no topic")?;
            let queue = store.queue(topic, i32::try_from(number % 4)?)?;
            bodies.push(push(store, &mut batch, &queue, number)?);
        }
        let _flushed_at_close = store.put(&mut batch)?;
        for (index, (queue, crc, tag)) in bodies.iter().enumerate() {
            let put = batch.outcome(index).ok_or("no outcome")?;
            let (topic, queue_id) = (queue.topic(), queue.queue_id());
            let (offset, physical, time) = (put.queue_offset, put.physical_offset, put.store_timestamp);
            writeln!(out, "{topic} {queue_id} {offset} {physical} {time} {crc} {tag}")?;
        }
        number += count;
    }
    Ok(())
}

fn push(
    store: &MessageStore,
    batch: &mut PutBatch,
    queue: &Arc<Queue>,
    number: usize,
) -> Outcome<(Arc<Queue>, i32, String)> {
    let body = format!("body {number} of Rust {}", "r".repeat(number % 300));
    let tag = if number.is_multiple_of(4) { "-".to_owned() } else { format!("tag{}", number % 4) };
    let mut text = String::new();
    properties::append(&mut text, "KEYS", &format!("key{number}"));
    if tag != "-" {
        properties::append(&mut text, "TAGS", &tag);
    }
    let born_host = if number.is_multiple_of(5) { "[::1]:1000" } else { "127.0.0.1:1000" };
    let message = PutMessage {
        queue,
        flag: i32::try_from(number)?,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        born_host: HostAddr::from(born_host.parse::<std::net::SocketAddr>()?),
        store_host: HostAddr::from("127.0.0.1:10911".parse::<std::net::SocketAddr>()?),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: body.as_bytes(),
        properties: &text,
    };
    batch.push_joined(store, &message)?;
    Ok((Arc::clone(queue), body_crc(body.as_bytes()), tag))
}
