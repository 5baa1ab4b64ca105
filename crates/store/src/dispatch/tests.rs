//! Several threads hand their messages over to one dispatcher. Run by Miri (see CONTRIBUTING.md) in many orders.

use std::sync::atomic::AtomicBool;
use std::thread;

use rocketmq_env::FaultFs;

use super::*;
use crate::StoreConfig;
use crate::queue::Queue;

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
                for arrival in arrivals {
                    assert!(arrival.queue.max_offset() > arrival.queue_offset);
                    heard.lock().push(arrival.queue_offset);
                }
            }));
        }
        let append = Mutex::new(());
        let put = |also_drain: bool| {
            let (arrival, claim) = {
                let _one_at_a_time = append.lock();
                let arrival = arrival_of(&queue);
                let claim = dispatcher.enqueue(std::iter::once(&arrival));
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
    let queues = Arc::new(Queues::load(FaultFs::new().process(), &StoreConfig::new("/store")).unwrap());
    let queue = queues.get("Topic", 0).unwrap();
    let dispatcher = Dispatcher::new(queues, Progress::default());
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
        let is_there = || {
            let arrival = arrival_of(&queue);
            dispatcher.finish(dispatcher.enqueue(std::iter::once(&arrival)), std::iter::once(&arrival));
            queue.max_offset() == arrival.queue_offset + 1
        };
        let missed = (0..puts).filter(|_put| !is_there()).count();
        ended.store(true, Ordering::Release);
        assert_eq!(missed, 0);
    });
}

/// The next message of a queue.
fn arrival_of(queue: &Arc<Queue>) -> Arrival {
    let queue_offset = queue.take_slot();
    Arrival {
        queue: Arc::clone(queue),
        queue_offset,
        tags_code: 0,
        physical_offset: 100 * queue_offset,
        size: 100,
        store_timestamp: queue_offset,
    }
}
