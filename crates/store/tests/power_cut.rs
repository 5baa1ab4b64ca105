//! The power goes off at any call, again and again: what was acknowledged under SYNC_FLUSH stays, what was never put does
//! not appear, what was lost once stays lost. `POWER_CUT_SEEDS=n` runs more seeds, `POWER_CUT_FIRST_SEED=n` others.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use rocketmq_env::{FaultFs, VirtualClock};
use rocketmq_store::{FlushDiskType, MessageStore, PutBatch, StoreConfig};

const QUEUES: i32 = 3;
const LIVES: u64 = 4;

/// SplitMix64, so that a seed gives the same choices everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What may and what must be in the store.
#[derive(Default)]
struct Model {
    acknowledged: HashMap<(i32, i64), Vec<u8>>,
    possible: HashSet<(i32, Vec<u8>)>,
}

impl Model {
    /// Compares the store with the model; what is not there now may not come back.
    fn check(&mut self, store: &MessageStore, context: &str) {
        let mut present = HashSet::new();
        for queue_id in 0..QUEUES {
            let bodies = read_all(store, "Topic", queue_id);
            for (offset, body) in bodies.iter().enumerate() {
                let message = (queue_id, body.clone());
                assert!(self.possible.contains(&message), "{context}: {message:?} was never put, or lost before");
                assert!(present.insert(message), "{context}: twice in queue {queue_id}: {body:?} at {offset}");
            }
            for ((_, offset), body) in self.acknowledged.iter().filter(|((queue, _), _)| *queue == queue_id) {
                let found = bodies.get(*offset as usize);
                assert_eq!(found, Some(body), "{context}: acknowledged {queue_id}/{offset} of {}", bodies.len());
            }
        }
        self.possible = present;
    }
}

fn config() -> StoreConfig {
    StoreConfig {
        flush_disk_type: FlushDiskType::SyncFlush,
        flush_consume_queue_thorough_interval: Duration::from_secs(3),
        ..small("/store")
    }
}

/// Puts until a call fails or enough is put. Returns whether the power went off.
fn live(store: &MessageStore, clock: &VirtualClock, random: &mut Random, model: &mut Model, name: &str) -> bool {
    for number in 0..random.below(60) {
        let mut batch = PutBatch::new();
        let mut messages = Vec::new();
        for index in 0..1 + random.below(4) {
            let queue_id = random.below(QUEUES as u64) as i32;
            let mut body = format!("{name}-{number}-{index}-").into_bytes();
            body.resize(body.len() + random.below(700) as usize, b'x');
            if store.queue("Topic", queue_id).is_err() {
                return true;
            }
            push(&mut batch, store, "Topic", queue_id, &body, "TAGS\u{1}t\u{2}");
            messages.push((queue_id, body));
        }
        model.possible.extend(messages.iter().cloned());
        let Ok(ticket) = store.put(&mut batch) else { return true };
        if random.below(3) == 0 {
            if store.wait_flushed(ticket.end, Duration::from_secs(3600)).is_err() {
                return true;
            }
            for (index, (queue_id, body)) in messages.into_iter().enumerate() {
                let outcome = batch.outcome(index).unwrap();
                model.acknowledged.insert((queue_id, outcome.queue_offset), body);
            }
        }
        if random.below(5) == 0 {
            clock.advance(Duration::from_secs(1));
        }
    }
    random.below(3) > 0
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let mut model = Model::default();
    for life in 0..LIVES {
        let context = format!("seed {seed}, life {life}");
        fs.power_off_at(fs.calls() + 1 + random.below(400));
        if let Ok(store) = open_with(config(), &fs, &clock) {
            model.check(&store, &context);
            let dies = live(&store, &clock, &mut random, &mut model, &context);
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
        let (_, ticket) = put(&store, "Topic", 0, context.as_bytes()).unwrap();
        store.wait_flushed(ticket.end, Duration::from_secs(3600)).unwrap();
        model.possible.insert((0, context.clone().into_bytes()));
        model.acknowledged.insert((0, store.max_offset("Topic", 0) - 1), context.clone().into_bytes());
        if random.below(2) == 0 {
            store.close().unwrap();
        } else {
            fs.kill_process();
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_else_appears_wherever_the_power_goes_off() {
    let number = |name, default| std::env::var(name).ok().map_or(default, |text| text.parse().unwrap());
    let first: u64 = number("POWER_CUT_FIRST_SEED", 0);
    for seed in first..first + number("POWER_CUT_SEEDS", 250) {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "POWER_CUT_FIRST_SEED={seed} POWER_CUT_SEEDS=1 fails");
    }
}
