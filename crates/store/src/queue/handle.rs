//! A queue as whoever puts to it holds it.

use std::sync::Arc;

use smol_str::SmolStr;

use super::Queue;
use crate::seat::Seat;

/// A queue of a store, from [`MessageStore::queue`](crate::MessageStore::queue); may be kept, and is good for that store only.
///
/// It has itself what a put needs to know of the queue, which may be in none of the processor's caches.
#[derive(Debug, Clone)]
pub struct QueueHandle {
    /// In the handle itself, unless it is long.
    topic: SmolStr,
    queue_id: i32,
    seat: Seat,
    queue: Arc<Queue>,
}

impl QueueHandle {
    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Its number within the topic.
    pub fn queue_id(&self) -> i32 {
        self.queue_id
    }

    pub(crate) fn seat(&self) -> Seat {
        self.seat
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Tells the processor that a message is on its way to this queue: for a put that somebody listens for, and so is dispatched at
    /// once ([`MessageStore::set_arrival_listener`](crate::MessageStore::set_arrival_listener)).
    pub fn expect(&self) {
        self.queue.expect();
    }
}

impl From<Arc<Queue>> for QueueHandle {
    fn from(queue: Arc<Queue>) -> Self {
        Self { topic: queue.topic.clone(), queue_id: queue.queue_id, seat: queue.seat, queue }
    }
}
