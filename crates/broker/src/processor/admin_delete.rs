//! What administrators delete (`broker/processor/AdminBrokerProcessor.java`): 215, 306, 316, 329. Files are removed on a
//! thread of their own, which then answers, so that no event loop waits for it.

use std::sync::Arc;

use rocketmq_codec::{Command, SerializeType, response_code};
use rocketmq_remoting::Connection;
use rocketmq_store::{MessageStore, StoreError};

use super::reply::{Handled, Refusal, field, succeed_empty};
use crate::broker::BrokerState;
use crate::names;

/// Who is to be answered when the files are gone.
struct Asker {
    connection: Arc<Connection>,
    is_oneway: bool,
    opaque: i32,
    serialize_type: SerializeType,
    success: Vec<u8>,
}

impl Asker {
    fn new(connection: &Arc<Connection>, request: &Command<'_>) -> Result<Self, Refusal> {
        let mut success = Vec::new();
        succeed_empty(request, &mut success)?;
        let (opaque, serialize_type) = (request.opaque, request.serialize_type);
        Ok(Self { connection: Arc::clone(connection), is_oneway: request.is_oneway(), opaque, serialize_type, success })
    }

    fn answer<T>(self, outcome: Result<T, StoreError>) {
        let mut answer = self.success;
        if let Err(error) = outcome {
            answer.clear();
            Refusal::system_error(error).write(&mut answer, self.serialize_type, self.opaque);
        }
        if !self.is_oneway {
            self.connection.send(&answer);
        }
    }
}

impl BrokerState {
    /// The topic goes from the topic table, on disk too, and the offsets, name servers are told, its files are deleted; so do the retry
    /// topics that consumers popping it have. (`#deleteTopic`)
    pub(super) fn delete_topic(&self, connection: &Arc<Connection>, request: &Command<'_>) -> Handled {
        let topic = field(request, "topic")?;
        let invalid = |remark: String| Refusal::new(response_code::INVALID_PARAMETER, remark);
        if topic.trim().is_empty() {
            return Err(invalid("The specified topic is blank.".to_owned()));
        }
        if self.config.validate_system_topic_when_update_topic && self.topics.is_system_topic(topic) {
            return Err(invalid(format!("The topic[{topic}] is conflict with system topic.")));
        }
        let mut topics = vec![topic.to_owned()];
        if self.config.clear_retry_topic_when_delete_topic {
            let groups = self.offsets.groups_of(topic);
            // Both names that pop retry topics have had (`KeyBuilder#buildPopRetryTopic`).
            let retry_topics = groups.iter().flat_map(|group| {
                ['+', '_'].map(|separator| format!("{}{group}{separator}{topic}", names::RETRY_GROUP_TOPIC_PREFIX))
            });
            topics.extend(retry_topics.filter(|topic| self.topics.contains(topic)));
        }
        for topic in &topics {
            self.topics.delete(topic);
            self.offsets.clean_topic(topic);
        }
        let asker = Asker::new(connection, request)?;
        let (store, registration) = (Arc::clone(&self.store), self.registration.clone());
        self.topics.when_written(Box::new(move || {
            registration.topics_changed_then(Box::new(move || delete_queues(store, topics, asker)));
        }));
        Ok(())
    }

    /// Queues of topics that are not in the topic table go. (`#cleanUnusedTopic`)
    pub(super) fn clean_unused_topic(&self, connection: &Arc<Connection>, request: &Command<'_>) -> Handled {
        let mut unused: Vec<String> = self.store.queues().iter().map(|queue| queue.topic().to_string()).collect();
        unused.sort_unstable();
        unused.dedup();
        unused.retain(|topic| !self.topics.contains(topic) && !self.topics.is_system_topic(topic));
        delete_queues(Arc::clone(&self.store), unused, Asker::new(connection, request)?);
        Ok(())
    }

    /// Queues of which no message is left in the commit log go. (`#cleanExpiredConsumeQueue`)
    pub(super) fn clean_expired_consume_queue(&self, connection: &Arc<Connection>, request: &Command<'_>) -> Handled {
        let (store, topics) = (Arc::clone(&self.store), Arc::clone(&self.topics));
        on_a_thread(Asker::new(connection, request)?, move || {
            let removed = store.clean_expired_queues(|topic| topics.is_system_topic(topic))?;
            removed.iter().for_each(|topic| topics.forget_queues(topic));
            Ok(())
        });
        Ok(())
    }

    /// Expired commit log files go in the next rounds, whatever the hour. (`#deleteExpiredCommitLog`)
    pub(super) fn delete_expired_commit_log(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        self.store.delete_expired_files();
        succeed_empty(request, out)
    }
}

fn delete_queues(store: Arc<MessageStore>, topics: Vec<String>, asker: Asker) {
    on_a_thread(asker, move || {
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        store.delete_topics(&topics)
    });
}

fn on_a_thread<T>(asker: Asker, delete: impl FnOnce() -> Result<T, StoreError> + Send + 'static) {
    let thread = std::thread::Builder::new().name("rocketmq-delete".to_owned());
    // The asker is moved into the thread: if none can be made, the request times out, as anything else on this machine will.
    let _ = thread.spawn(move || asker.answer(delete()));
}
