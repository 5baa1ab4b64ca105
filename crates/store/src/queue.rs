//! skeleton
use std::sync::Arc;
/// One consume queue.
#[derive(Debug)]
pub struct Queue {
    topic: Arc<str>,
    queue_id: i32,
}
impl Queue {
    /// Its topic.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }
    /// Its number within the topic.
    pub fn queue_id(&self) -> i32 {
        self.queue_id
    }
    /// First readable offset.
    pub fn min_offset(&self) -> i64 {
        unimplemented!()
    }
    /// One more than the last readable offset; 0 if it never held a message.
    pub fn max_offset(&self) -> i64 {
        unimplemented!()
    }
}
