//! Topics and queues as JavaScript names them to a store: a topic by a number, a queue by its id there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rocketmq_store::{MessageStore, QueueHandle, StoreError};

/// So many queues of a topic, those with the lowest ids, are in the topic itself: with many topics each is in no cache, and an
/// access to memory that waits for another takes as long as a third of a put.
const INLINE_QUEUES: usize = 4;

/// Topics by their numbers.
#[derive(Debug, Default)]
pub struct Topics(Vec<Topic>);

/// A topic, and those of its queues that something was put to.
#[derive(Debug)]
struct Topic {
    queues: [Option<QueueHandle>; INLINE_QUEUES],
    more_queues: BTreeMap<i32, QueueHandle>,
    name: Box<str>,
}

impl Topics {
    /// Gives a topic its number.
    pub fn add(&mut self, name: &str) -> u32 {
        self.0.push(Topic { queues: Default::default(), more_queues: BTreeMap::new(), name: name.into() });
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The name of a topic; `None` for a number that was not given.
    pub fn name(&self, topic: u32) -> Option<&str> {
        self.0.get(topic as usize).map(|topic| &*topic.name)
    }

    /// A queue, made if there is none yet; `None` for a number that was not given.
    pub fn queue(
        &mut self,
        store: &MessageStore,
        topic: u32,
        queue_id: i32,
    ) -> Option<Result<&QueueHandle, StoreError>> {
        self.0.get_mut(topic as usize).map(|topic| topic.queue(store, queue_id))
    }
}

impl Topic {
    fn queue(&mut self, store: &MessageStore, queue_id: i32) -> Result<&QueueHandle, StoreError> {
        let Self { queues, more_queues, name } = self;
        let index = usize::try_from(queue_id).unwrap_or(usize::MAX);
        Ok(match queues.get_mut(index) {
            Some(Some(queue)) => queue,
            Some(unknown) => unknown.insert(store.queue(name, queue_id)?),
            None => match more_queues.entry(queue_id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(store.queue(name, queue_id)?),
            },
        })
    }
}
