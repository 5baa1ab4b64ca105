//! Pulls that wait for messages (`broker/longpolling/PullRequestHoldService.java`, `ManyPullRequest.java`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_remoting::Connection;
use rocketmq_store::{Arrival, Queue};

use crate::filter::Subscription;
use crate::processor::pull::PullRequest;

/// A pull that found nothing and may wait.
#[derive(Debug)]
pub struct HeldPull {
    /// Who asked.
    pub connection: Arc<Connection>,
    /// What was asked.
    pub request: PullRequest<'static>,
    /// What it subscribed to when it came; which arrivals wake it.
    pub subscription: Arc<Subscription>,
    /// Uptime at which it is answered whatever there is.
    pub deadline: Duration,
    /// There is something for it, but its connection did not take more; tried again with the next scan.
    pub postponed: bool,
}

impl HeldPull {
    fn wants(&self, arrival: &PendingArrival) -> bool {
        arrival.max_queue_offset >= self.request.header.queue_offset
            && self.subscription.filter.as_ref().is_none_or(|filter| filter.matches(arrival.tags_code))
    }
}

type Queues = HashMap<i32, Vec<HeldPull>>;

/// All held pulls by topic and queue, and the arrivals that held pulls have not been told of yet.
#[derive(Debug)]
pub struct PullRequestHoldService {
    topics: Mutex<HashMap<String, Queues>>,
    count: AtomicUsize,
    max_held: usize,
    arrivals: Mutex<Vec<PendingArrival>>,
    has_arrivals: AtomicBool,
}

/// Messages with the same tags that arrived in one queue.
#[derive(Debug)]
struct PendingArrival {
    queue: Arc<Queue>,
    tags_code: i64,
    max_queue_offset: i64,
}

impl PullRequestHoldService {
    /// Holds at most `max_held` pulls.
    pub fn new(max_held: usize) -> Self {
        Self {
            topics: Mutex::default(),
            count: AtomicUsize::new(0),
            max_held,
            arrivals: Mutex::default(),
            has_arrivals: AtomicBool::new(false),
        }
    }

    /// How many pulls wait.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Holds a pull; gives it back when too many wait already. The caller then looks once more whether something arrived:
    /// an arrival from before finds nobody to wake.
    pub fn hold(&self, topic: &str, pull: HeldPull) -> Result<(), Box<HeldPull>> {
        if self.count.fetch_add(1, Ordering::SeqCst) >= self.max_held {
            self.count.fetch_sub(1, Ordering::SeqCst);
            return Err(Box::new(pull));
        }
        let queue_id = pull.request.header.queue_id;
        let mut topics = self.topics.lock();
        let of_topic = match topics.get_mut(topic) {
            Some(of_topic) => of_topic,
            None => topics.entry(topic.to_owned()).or_default(),
        };
        of_topic.entry(queue_id).or_default().push(pull);
        drop(topics);
        fence(Ordering::SeqCst);
        Ok(())
    }

    /// Takes out a pull that was just held, unless somebody else did.
    pub fn take_back(&self, topic: &str, queue_id: i32, connection_id: u64, opaque: i32) -> Option<HeldPull> {
        let mut topics = self.topics.lock();
        let pulls = topics.get_mut(topic)?.get_mut(&queue_id)?;
        let is_it = |pull: &HeldPull| pull.connection.id() == connection_id && pull.request.opaque == opaque;
        let taken = pulls.swap_remove(pulls.iter().rposition(is_it)?);
        self.count.fetch_sub(1, Ordering::SeqCst);
        Some(taken)
    }

    /// Notes what arrived. Called on the path of every put, so it does next to nothing while no pull waits.
    pub fn note_arrivals<'q, 'a>(&self, arrivals: impl Iterator<Item = (&'q Arc<Queue>, &'a Arrival)>) {
        // With the fence in `hold`: either this sees the pull, or the pull sees the queue's new end.
        fence(Ordering::SeqCst);
        if self.len() == 0 {
            return;
        }
        let mut pending = self.arrivals.lock();
        for (queue, arrival) in arrivals {
            // A burst has few queues and tags as a rule; past a few the search would cost more than a longer list.
            let known = pending
                .iter_mut()
                .rev()
                .take(64)
                .find(|known| known.tags_code == arrival.tags_code && Arc::ptr_eq(&known.queue, queue));
            match known {
                Some(known) => known.max_queue_offset = known.max_queue_offset.max(arrival.queue_offset),
                None => pending.push(PendingArrival {
                    queue: Arc::clone(queue),
                    tags_code: arrival.tags_code,
                    max_queue_offset: arrival.queue_offset,
                }),
            }
        }
        self.has_arrivals.store(true, Ordering::Release);
    }

    /// Takes out the pulls that the noted arrivals wake, one pass a queue.
    pub fn take_woken(&self) -> Vec<HeldPull> {
        if !self.has_arrivals.load(Ordering::Acquire) {
            return Vec::new();
        }
        let arrivals = {
            let mut arrivals = self.arrivals.lock();
            self.has_arrivals.store(false, Ordering::Release);
            std::mem::take(&mut *arrivals)
        };
        let mut woken = Vec::new();
        let mut topics = self.topics.lock();
        for (index, arrival) in arrivals.iter().enumerate() {
            let of_same_queue = |other: &&PendingArrival| Arc::ptr_eq(&other.queue, &arrival.queue);
            let already_done = arrivals.get(..index).is_some_and(|before| before.iter().any(|a| of_same_queue(&a)));
            let pulls = topics.get_mut(arrival.queue.topic()).and_then(|q| q.get_mut(&arrival.queue.queue_id()));
            let Some(pulls) = pulls.filter(|pulls| !already_done && !pulls.is_empty()) else { continue };
            let wakes = |pull: &HeldPull| arrivals.iter().filter(of_same_queue).any(|arrival| pull.wants(arrival));
            woken.extend(pulls.extract_if(.., |pull| wakes(pull)));
        }
        self.count.fetch_sub(woken.len(), Ordering::SeqCst);
        woken
    }

    /// Takes out what is due at `now`, what was postponed, and what belongs to closed connections.
    pub fn take_due(&self, now: Duration) -> Vec<HeldPull> {
        self.take_if(|pull| pull.deadline <= now || pull.postponed || !pull.connection.is_open())
    }

    /// Takes out everything.
    pub fn take_all(&self) -> Vec<HeldPull> {
        self.take_if(|_| true)
    }

    /// Drops the pulls of a connection that is gone.
    pub fn disconnected(&self, connection: &Connection) {
        if self.len() > 0 {
            self.take_if(|pull| pull.connection.id() == connection.id());
        }
    }

    fn take_if(&self, wanted: impl Fn(&HeldPull) -> bool) -> Vec<HeldPull> {
        let mut taken = Vec::new();
        self.topics.lock().retain(|_, queues| {
            queues.retain(|_, pulls| {
                taken.extend(pulls.extract_if(.., |pull| wanted(pull)));
                !pulls.is_empty()
            });
            !queues.is_empty()
        });
        self.count.fetch_sub(taken.len(), Ordering::SeqCst);
        taken
    }
}
