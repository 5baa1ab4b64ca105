//! Several threads hand their messages over to one dispatcher. Run by Miri (see CONTRIBUTING.md) in many orders.

use std::sync::atomic::{AtomicBool, AtomicI64};
use std::thread;

use rocketmq_env::FaultFs;

use super::*;
use crate::StoreConfig;

const THREADS: i64 = 3;
const PUTS: i64 = 3;

#[test]
fn whoever_dispatches_nothing_handed_over_stays_behind_and_the_listener_hears_of_each_once() {
    for with_listener in [false, true] {
        let queues = Arc::new(Queues::load(FaultFs::new().process(), &StoreConfig::new("/store")).unwrap());
        let queue = queues.get("Topic", 0).unwrap();
        let dispatcher = Dispatcher::new(queues, Progress::default());
        let heard = Arc::new(Mutex::new(Vec::new()));
        if with_listener {
            let heard = Arc::clone(&heard);
            dispatcher.set_listener(Arc::new(move |arrivals| {
                for (queue, arrival) in arrivals {
                    assert!(queue.max_offset() > arrival.queue_offset);
                    heard.lock().push(arrival.queue_offset);
                }
            }));
        }
        let next_offset = Mutex::new(0);
        let put = |also_drain: bool| {
            let (arrival, claim) = {
                let mut next_offset = next_offset.lock();
                let arrival = arrival_of(&queue, *next_offset);
                *next_offset += 1;
                let claim = dispatcher.enqueue(std::iter::once(&arrival), 1);
                (arrival, claim)
            };
            dispatcher.finish(claim, std::iter::once(&arrival));
            if also_drain {
                dispatcher.drain();
                assert!(queue.max_offset() > arrival.queue_offset);
                assert!(dispatcher.progress().store_timestamp >= arrival.store_timestamp);
            }
        };
        thread::scope(|scope| {
            for number in 0..THREADS {
                let put = &put;
                scope.spawn(move || (0..PUTS).for_each(|_| put(number == 0)));
            }
        });
        let all = THREADS * PUTS;
        if !with_listener {
            dispatcher.catch_up();
        }
        // Nobody drains now: the last who left must have seen everything.
        assert_eq!(queue.max_offset(), all);
        assert_eq!(dispatcher.progress(), Progress { physical_offset: 100 * (all - 1), store_timestamp: all - 1 });
        let mut heard = heard.lock().clone();
        heard.sort_unstable();
        assert_eq!(heard, if with_listener { (0..all).collect() } else { Vec::new() });
    }
}

#[test]
fn what_the_only_one_who_puts_handed_over_is_in_its_queue_at_once_whoever_asks_how_far_dispatching_is() {
    let puts = if cfg!(miri) { 10 } else { 50_000 };
    for with_listener in [false, true] {
        let queues = Arc::new(Queues::load(FaultFs::new().process(), &StoreConfig::new("/store")).unwrap());
        let queue = queues.get("Topic", 0).unwrap();
        let dispatcher = Dispatcher::new(queues, Progress::default());
        if with_listener {
            dispatcher.set_listener(Arc::new(|_arrivals| {}));
        }
        let (asked, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Acquire) {
                    let before = dispatcher.progress().store_timestamp;
                    assert!(before <= dispatcher.progress().store_timestamp);
                    asked.store(true, Ordering::Release);
                }
            });
            while !asked.load(Ordering::Acquire) {
                thread::yield_now();
            }
            let is_there = |queue_offset: &i64| {
                let arrival = arrival_of(&queue, *queue_offset);
                dispatcher.finish(dispatcher.enqueue(std::iter::once(&arrival), 1), std::iter::once(&arrival));
                if !with_listener {
                    dispatcher.catch_up();
                }
                queue.max_offset() == arrival.queue_offset + 1
            };
            let missed = (0..puts).filter(|queue_offset| !is_there(queue_offset)).count();
            ended.store(true, Ordering::Release);
            assert_eq!(missed, 0);
        });
    }
}

#[test]
fn where_nobody_listens_messages_wait_for_a_run_or_a_reader_and_a_listener_hears_of_those_that_waited() {
    let queues = Arc::new(Queues::load(FaultFs::new().process(), &StoreConfig::new("/store")).unwrap());
    let queue = queues.get("Topic", 0).unwrap();
    let dispatcher = Dispatcher::new(queues, Progress::default());
    let put = |offsets: std::ops::Range<i64>| {
        for queue_offset in offsets {
            let arrival = arrival_of(&queue, queue_offset);
            dispatcher.finish(dispatcher.enqueue(std::iter::once(&arrival), 1), std::iter::once(&arrival));
        }
        queue.max_offset()
    };
    let run = RUN as i64;
    assert_eq!(put(0..run - 1), 0);
    assert_eq!(put(run - 1..run), run);
    assert_eq!(put(run..run + 2), run);
    assert_eq!(dispatcher.first_pending(), Some(100 * run));
    dispatcher.catch_up();
    assert_eq!((queue.max_offset(), dispatcher.first_pending()), (run + 2, None));
    assert_eq!(put(run + 2..run + 3), run + 2);
    let heard = Arc::new(AtomicI64::new(0));
    let counter = Arc::clone(&heard);
    dispatcher.set_listener(Arc::new(move |arrivals| {
        counter.fetch_add(arrivals.count() as i64, Ordering::Relaxed);
    }));
    assert_eq!((queue.max_offset(), heard.load(Ordering::Relaxed)), (run + 3, 1));
    assert_eq!((put(run + 3..run + 4), heard.load(Ordering::Relaxed)), (run + 4, 2));
}

/// The message at an offset of a queue.
fn arrival_of(queue: &Queue, queue_offset: i64) -> Arrival {
    Arrival {
        seat: queue.seat(),
        queue_offset,
        tags_code: 0,
        physical_offset: 100 * queue_offset,
        size: 100,
        store_timestamp: queue_offset,
    }
}
