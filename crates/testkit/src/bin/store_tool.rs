//! Fills a store directory and prints its answers, to compare them with those of Apache's store
//! (`__test__/interop/java/StorePeer.java`).
//!
//! `store_tool DIR [KEY=VALUE...] [answers | fill KIND COUNT FROM | halt]...`
//!
//! Opens the store, does what the words say, in order, and closes it. `answers` prints what the store answers to gets,
//! look-ups by time, place and key; `fill` adds COUNT messages of a kind; `halt` ends the process without closing the store.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use rocketmq_codec::message::{body_crc, decode_record, java_string_hash, properties, sys_flag};
use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::{
    Boundary, HostAddr, MessageStore, PutBatch, PutMessage, PutOutcome, QueueHandle, StoreConfig, TagFilter,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words = arguments.iter().map(String::as_str).peekable();
    let directory =
        words.next().ok_or("usage: store_tool DIR [KEY=VALUE...] [answers | fill KIND COUNT FROM | halt]...")?;
    let mut config = StoreConfig::new(directory);
    while let Some((key, value)) = words.peek().and_then(|word| word.split_once('=')) {
        set(&mut config, key, value)?;
        words.next();
    }
    let store = MessageStore::open(config, Arc::new(OsFs), Arc::new(SystemClock::new()))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    while let Some(word) = words.next() {
        match word {
            "answers" => print_answers(&store, &mut out)?,
            "fill" => {
                let mut next = || words.next().ok_or("fill KIND COUNT FROM");
                fill(&store, next()?, next()?.parse()?, next()?.parse()?)?;
            }
            "halt" => {
                out.flush()?;
                std::process::exit(0);
            }
            other => return Err(format!("unknown word {other}").into()),
        }
    }
    out.flush()?;
    store.close()?;
    Ok(())
}

fn set(config: &mut StoreConfig, key: &str, value: &str) -> Outcome<()> {
    match key {
        "mappedFileSizeCommitLog" => config.commit_log_segment_bytes = value.parse()?,
        "mappedFileSizeConsumeQueue" => config.consume_queue_segment_bytes = value.parse()?,
        "maxHashSlotNum" => config.max_hash_slot_num = value.parse()?,
        "maxIndexNum" => config.max_index_num = value.parse()?,
        "enableConsumeQueueExt" => config.enable_consume_queue_ext = value.parse()?,
        "mappedFileSizeConsumeQueueExt" => config.consume_queue_ext_segment_bytes = value.parse()?,
        other => return Err(format!("unknown key {other}").into()),
    }
    Ok(())
}

fn print_answers(store: &MessageStore, out: &mut impl Write) -> Outcome<()> {
    let earliest = store.earliest_store_time()?.unwrap_or(-1);
    writeln!(out, "store {} {} {earliest}", store.min_physical_offset(), store.max_physical_offset())?;
    let tags = TagFilter::new(["tag1", "tag2"].map(java_string_hash));
    let mut queues = store.queues();
    queues.retain(|queue| store.offsets(queue).1 > 0);
    queues.sort_by_key(|queue| (queue.topic().to_string(), queue.queue_id()));
    for queue in queues {
        print_queue(store, &queue, &tags, out)?;
    }
    Ok(())
}

fn print_queue(store: &MessageStore, queue: &QueueHandle, tags: &TagFilter, out: &mut impl Write) -> Outcome<()> {
    let (topic, queue_id) = (queue.topic(), queue.queue_id());
    let (min, max) = store.offsets(queue);
    let earliest = store.earliest_time(topic, queue_id)?.unwrap_or(-1);
    writeln!(out, "queue {topic} {queue_id} {min} {max} {earliest}")?;
    let mut times = Vec::new();
    let mut keys = BTreeSet::new();
    for offset in (min - 2).max(0)..max + 3 {
        print_get(store, queue, (offset, 32, i32::MAX as usize), None, out)?;
        print_get(store, queue, (offset, 100, 3000), Some(tags), out)?;
        if (min..max).contains(&offset) {
            let time = store.store_timestamp_at(topic, queue_id, offset)?.unwrap_or(-1);
            let mut record = Vec::new();
            store.get(topic, queue_id, offset, 1, usize::MAX, None, &mut record)?;
            let (message, _) = decode_record(&record, true)?;
            let physical_offset = message.physical_offset;
            let of_message = properties::get_each(&message.properties, ["UNIQ_KEY", "KEYS"]);
            keys.extend(of_message.into_iter().flatten().flat_map(|keys| keys.split(' ')).map(str::to_owned));
            record.clear();
            store.record_at(physical_offset, &mut record)?;
            let (bytes, crc) = (record.len(), body_crc(&record));
            writeln!(out, "record {topic} {queue_id} {offset} {physical_offset} {time} {bytes} {crc}")?;
            times.extend([time - 1, time, time + 1]);
        }
    }
    times.sort_unstable();
    times.dedup();
    for time in times {
        let lower = store.offset_by_time(topic, queue_id, time, Boundary::Lower)?;
        let upper = store.offset_by_time(topic, queue_id, time, Boundary::Upper)?;
        writeln!(out, "time {topic} {queue_id} {time} {lower} {upper}")?;
    }
    for key in keys {
        let mut places = store.query(topic, &key, 64, 0, i64::MAX)?.physical_offsets;
        // A message that has the key twice.
        places.dedup();
        writeln!(out, "query {topic} {queue_id} {key} {places:?}")?;
    }
    Ok(())
}

fn print_get(
    store: &MessageStore,
    queue: &QueueHandle,
    (offset, max_count, max_bytes): (i64, usize, usize),
    filter: Option<&TagFilter>,
    out: &mut impl Write,
) -> Outcome<()> {
    let (topic, queue_id) = (queue.topic(), queue.queue_id());
    let mut records = Vec::new();
    let result = store.get(topic, queue_id, offset, max_count, max_bytes, filter, &mut records)?;
    let status = format!("{:?}", result.status);
    let status: String = status
        .char_indices()
        .flat_map(|(at, letter)| (at > 0 && letter.is_uppercase()).then_some('_').into_iter().chain([letter]))
        .collect();
    let (status, next) = (status.to_uppercase(), result.next_begin_offset);
    let (min, max, count, crc) = (result.min_offset, result.max_offset, result.count, body_crc(&records));
    let bytes = records.len();
    writeln!(out, "get {topic} {queue_id} {offset} {max_count} {status} {next} {min} {max} {count} {bytes} {crc}")?;
    Ok(())
}

/// What differs between the kinds of messages.
struct Kind<'a> {
    topic: &'a str,
    queue_id: i32,
    sys_flag: i32,
    prepared_transaction_offset: i64,
    properties: &'a [(&'a str, &'a str)],
}

fn fill(store: &MessageStore, kind: &str, count: usize, from: usize) -> Outcome<()> {
    for number in from..from + count {
        let queue_id = i32::try_from(number % 3)?;
        let topic = if number.is_multiple_of(2) { "Alpha" } else { "Beta-topic" };
        let plain = Kind { topic, queue_id, sys_flag: 0, prepared_transaction_offset: 0, properties: &[] };
        let real = [("REAL_TOPIC", "Alpha"), ("REAL_QID", "1")];
        match kind {
            "plain" | "hosts" => drop(put(store, number, &[plain])?),
            "long" => {
                let topic = format!("long_{}", "t".repeat(110 + number % 4 * 30));
                put(store, number, &[Kind { topic: &topic, ..plain }])?;
            }
            "batch" => {
                let messages: Vec<_> =
                    (0..1 + number % 40).map(|_| Kind { topic: "Alpha", properties: &[], ..plain }).collect();
                put(store, number, &messages)?;
            }
            "transaction" => {
                let topic = "RMQ_SYS_TRANS_HALF_TOPIC";
                let half = put(store, number, &[Kind { topic, queue_id: 0, properties: &real, ..plain }])?;
                let prepared_transaction_offset = half.physical_offset;
                let decided = Kind { topic: "Alpha", prepared_transaction_offset, ..plain };
                put(store, number, &[Kind { sys_flag: sys_flag::TRANSACTION_COMMIT, ..decided }])?;
                put(store, number, &[Kind { topic: "RMQ_SYS_TRANS_OP_HALF_TOPIC", queue_id: 0, ..plain }])?;
                put(store, number, &[Kind { sys_flag: sys_flag::TRANSACTION_PREPARED, ..decided }])?;
                put(store, number, &[Kind { sys_flag: sys_flag::TRANSACTION_ROLLBACK, ..decided }])?;
            }
            "delayed" => {
                let level = 1 + number % 20;
                let queue_id = i32::try_from(level.min(18) - 1)?;
                let delay = level.to_string();
                let properties = [real.as_slice(), &[("DELAY", &delay)]].concat();
                let topic = "SCHEDULE_TOPIC_XXXX";
                put(store, number, &[Kind { topic, queue_id, properties: &properties, ..plain }])?;
            }
            "compressed" => {
                let sys_flag = sys_flag::COMPRESSED | i32::try_from(number % 4)? << 8;
                put(store, number, &[Kind { sys_flag, ..plain }])?;
            }
            other => return Err(format!("unknown kind {other}").into()),
        }
    }
    Ok(())
}

/// Puts messages as one batch; the outcome of the first.
fn put(store: &MessageStore, number: usize, messages: &[Kind<'_>]) -> Outcome<PutOutcome> {
    let mut batch = PutBatch::new();
    let body = format!("body {number} of Rust {}", "r".repeat(number % 300));
    let tag = format!("tag{}", number % 4);
    for kind in messages {
        let mut text = String::new();
        properties::append(&mut text, "KEYS", &format!("key{number}"));
        if !number.is_multiple_of(4) {
            properties::append(&mut text, "TAGS", &tag);
        }
        for (name, value) in kind.properties {
            properties::append(&mut text, name, value);
        }
        let host = |text: &str| text.parse().map(|address: std::net::SocketAddr| HostAddr::from(address));
        let message = PutMessage {
            queue: &store.queue(kind.topic, kind.queue_id)?,
            flag: i32::try_from(number)?,
            sys_flag: kind.sys_flag,
            born_timestamp: 1_700_000_000_000,
            born_host: host(if number.is_multiple_of(5) { "[::1]:1000" } else { "127.0.0.1:1000" })?,
            store_host: host(if number.is_multiple_of(7) { "[fe80::2]:10911" } else { "127.0.0.1:10911" })?,
            reconsume_times: 0,
            prepared_transaction_offset: kind.prepared_transaction_offset,
            body: body.as_bytes(),
            properties: &text,
        };
        batch.push_joined(store, &message)?;
    }
    let _flushed_at_close = store.put(&mut batch)?;
    Ok(batch.outcome(0).ok_or("nothing put")?)
}
