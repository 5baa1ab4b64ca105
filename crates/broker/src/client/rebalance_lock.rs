//! Locks on queues that orderly consumers hold (`broker/client/rebalance/RebalanceLockManager.java`).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rocketmq_codec::body::MessageQueue;
use rocketmq_env::Clock;

/// A lock that was not taken again for so long is free (`rocketmq.broker.rebalance.lockMaxLiveTime`).
const REBALANCE_LOCK_MAX_LIVE_MS: i64 = 60_000;

#[derive(Debug)]
struct LockEntry {
    client_id: String,
    taken_ms: i64,
}

impl LockEntry {
    fn is_expired(&self, now_ms: i64) -> bool {
        now_ms - self.taken_ms > REBALANCE_LOCK_MAX_LIVE_MS
    }
}

/// Which client of a group holds which queue.
#[derive(Debug)]
pub struct RebalanceLockManager {
    clock: Arc<dyn Clock>,
    groups: Mutex<HashMap<String, HashMap<MessageQueue, LockEntry>>>,
}

impl RebalanceLockManager {
    /// No locks yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, groups: Mutex::default() }
    }

    /// Takes or renews the locks and returns the queues that `client_id` now holds, in the order asked for.
    pub fn try_lock_batch(&self, group: &str, queues: Vec<MessageQueue>, client_id: &str) -> Vec<MessageQueue> {
        let now_ms = self.clock.now_ms();
        let mut groups = self.groups.lock();
        let locks = groups.entry(group.to_owned()).or_default();
        let mut held = Vec::with_capacity(queues.len());
        for queue in queues {
            match locks.get_mut(&queue) {
                Some(entry) if entry.client_id != client_id && !entry.is_expired(now_ms) => continue,
                Some(entry) => {
                    if entry.client_id != client_id {
                        entry.client_id = client_id.to_owned();
                    }
                    entry.taken_ms = now_ms;
                }
                None => {
                    locks.insert(queue.clone(), LockEntry { client_id: client_id.to_owned(), taken_ms: now_ms });
                }
            }
            held.push(queue);
        }
        held
    }

    /// Gives up the locks that `client_id` holds; those of others stay.
    pub fn unlock_batch(&self, group: &str, queues: &[MessageQueue], client_id: &str) {
        let mut groups = self.groups.lock();
        let Some(locks) = groups.get_mut(group) else { return };
        for queue in queues {
            if locks.get(queue).is_some_and(|entry| entry.client_id == client_id) {
                locks.remove(queue);
            }
        }
        if locks.is_empty() {
            groups.remove(group);
        }
    }

    /// Whether nobody of the group holds a queue now (`RebalanceLockManager#isLockAllExpired`).
    pub fn is_lock_all_expired(&self, group: &str) -> bool {
        let now_ms = self.clock.now_ms();
        self.groups.lock().get(group).is_none_or(|locks| locks.values().all(|entry| entry.is_expired(now_ms)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rocketmq_env::VirtualClock;

    use super::*;

    fn queue(id: i32) -> MessageQueue {
        MessageQueue { topic: "T".to_owned(), broker_name: "b".to_owned(), queue_id: id }
    }

    #[test]
    fn a_queue_belongs_to_one_client_until_it_is_unlocked() {
        let locks = RebalanceLockManager::new(Arc::new(VirtualClock::new(1_000)));
        assert_eq!(locks.try_lock_batch("G", vec![queue(0), queue(1)], "a"), [queue(0), queue(1)]);
        assert_eq!(locks.try_lock_batch("G", vec![queue(1), queue(2)], "b"), [queue(2)]);
        locks.unlock_batch("G", &[queue(1)], "b");
        assert!(locks.try_lock_batch("G", vec![queue(1)], "b").is_empty(), "only the holder unlocks");
        locks.unlock_batch("G", &[queue(1)], "a");
        assert_eq!(locks.try_lock_batch("G", vec![queue(1)], "b"), [queue(1)]);
    }

    #[test]
    fn a_lock_that_is_not_renewed_expires_after_a_minute() {
        let clock = Arc::new(VirtualClock::new(1_000));
        let locks = RebalanceLockManager::new(clock.clone());
        locks.try_lock_batch("G", vec![queue(0)], "a");
        clock.advance(Duration::from_secs(60));
        assert!(!locks.is_lock_all_expired("G"));
        assert!(locks.try_lock_batch("G", vec![queue(0)], "b").is_empty());
        clock.advance(Duration::from_millis(1));
        assert!(locks.is_lock_all_expired("G"));
        assert_eq!(locks.try_lock_batch("G", vec![queue(0)], "b"), [queue(0)]);
    }
}
