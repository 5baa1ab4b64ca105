//! The power goes off at any call, again and again: what was flushed is found by its key, and no key
//! finds another message. `POWER_CUT_SEEDS=n` runs n seeds, `POWER_CUT_FIRST_SEED=n` others.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use common::random::Random;
use common::*;
use rocketmq_codec::message::java_string_hash;
use rocketmq_env::{FaultFs, VirtualClock};
use rocketmq_store::{FlushDiskType, MessageStore, PutBatch, StoreConfig};

const LIVES: u64 = 4;

/// What the index knows of a key (`IndexFile#indexKeyHashMethod`).
fn hash(key: &str) -> u32 {
    java_string_hash(&format!("Topic#{key}")).unsigned_abs()
}

/// What was put, by key, and which of it is known to be on disk.
#[derive(Default)]
struct Model {
    put: HashMap<String, Vec<u8>>,
    durable: HashSet<String>,
}

impl Model {
    fn check(&self, store: &MessageStore, context: &str) {
        for (key, body) in &self.put {
            let places = store.query("Topic", key, 64, 0, i64::MAX).unwrap().physical_offsets;
            let found = |place: &i64| {
                let mut record = Vec::new();
                assert!(store.record_at(*place, &mut record).unwrap(), "{context}: no record of {key} at {place}");
                records(&record)[0].1.clone()
            };
            let (own, others): (Vec<_>, Vec<_>) = places.iter().map(found).partition(|found| found == body);
            assert!(own.len() <= 1, "{context}: {key} is found at {places:?}");
            assert!(!own.is_empty() || !self.durable.contains(key), "{context}: {key} was acknowledged");
            for other in others {
                // A body begins with its key. Once in 20,000 runs two keys share their hash.
                let other = String::from_utf8(other).unwrap().trim_end_matches('x').to_owned();
                let shares_hash = [format!("U{other}"), other].iter().any(|other| hash(other) == hash(key));
                assert!(shares_hash, "{context}: {key} finds another message at {places:?}");
            }
        }
    }

    /// Puts until a call fails or enough is put. Returns whether the power went off.
    fn live(&mut self, store: &MessageStore, clock: &VirtualClock, random: &mut Random, name: &str) -> bool {
        for number in 0..random.below(60) {
            let mut batch = PutBatch::new();
            let mut keys = Vec::new();
            for index in 0..1 + random.below(4) {
                let key = format!("{name}-{number}-{index}");
                let mut body = key.clone().into_bytes();
                body.resize(body.len() + random.below(700) as usize, b'x');
                let properties = format!("TAGS\u{1}t\u{2}UNIQ_KEY\u{1}U{key}\u{2}KEYS\u{1}k {key}\u{2}");
                push(&mut batch, store, "Topic", 0, &body, &properties);
                self.put.insert(key.clone(), body);
                keys.push(key);
            }
            let Ok(ticket) = store.put(&mut batch) else { return true };
            if random.below(3) == 0 {
                if store.wait_flushed(ticket.end, Duration::from_secs(3600)).is_err() {
                    return true;
                }
                self.durable.extend(keys);
            }
            if random.below(5) == 0 {
                clock.advance(Duration::from_secs(1));
            }
            if random.below(9) == 0 {
                let _maybe_off = store.query("Topic", "k", 64, 0, i64::MAX);
            }
        }
        random.below(3) > 0
    }
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let mut model = Model::default();
    for life in 0..LIVES {
        let context = format!("seed-{seed}-life-{life}");
        let appends = [FlushDiskType::SyncFlush, FlushDiskType::AsyncFlush][random.below(2) as usize];
        let config = || StoreConfig { flush_disk_type: appends, ..small("/store") };
        fs.power_off_at(fs.calls() + 1 + random.below(400));
        if let Ok(store) = open_with(config(), &fs, &clock) {
            let dies = model.live(&store, &clock, &mut random, &context);
            if !dies && store.close().is_ok() {
                drop(store);
            }
        }
        if random.below(8) == 0 {
            // The process dies, the machine goes on (unless the power went off before).
            fs.kill_process();
        }
        fs.power_cut(random.below(u64::MAX));
        let store = open_with(config(), &fs, &clock).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        model.check(&store, &context);
        if random.below(2) == 0 {
            store.close().unwrap();
        } else {
            fs.kill_process();
        }
    }
}

#[test]
fn what_was_acknowledged_is_found_by_its_key_wherever_the_power_goes_off() {
    let number = |name, default| std::env::var(name).ok().map_or(default, |text| text.parse().unwrap());
    let first: u64 = number("POWER_CUT_FIRST_SEED", 0);
    for seed in first..first + number("POWER_CUT_SEEDS", 200) {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "POWER_CUT_FIRST_SEED={seed} POWER_CUT_SEEDS=1 fails");
    }
}
