//! Offsets: 14, 15 (`broker/processor/ConsumerManageProcessor.java`) and 29 to 32 (`AdminBrokerProcessor.java`).

use rocketmq_codec::header::{
    BoundaryType, GetEarliestMsgStoretimeRequestHeader, GetEarliestMsgStoretimeResponseHeader,
    GetMaxOffsetRequestHeader, GetMinOffsetRequestHeader, OffsetResponseHeader, QueryConsumerOffsetRequestHeader,
    SearchOffsetRequestHeader, UpdateConsumerOffsetRequestHeader,
};
use rocketmq_codec::message::decode_record;
use rocketmq_codec::{Command, response_code};
use rocketmq_store::{Boundary, GetStatus};

use super::reply::{Handled, Refusal, header, succeed_empty, succeed_with_header};
use crate::broker::BrokerState;

impl BrokerState {
    pub(super) fn query_consumer_offset(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: QueryConsumerOffsetRequestHeader<'_> = header(request)?;
        let not_found = |remark: &str| Err(Refusal::new(response_code::QUERY_NOT_FOUND, remark));
        let offset = match self.offsets.query(&asked.consumer_group, &asked.topic, asked.queue_id) {
            Some(offset) => offset,
            None if asked.set_zero_if_not_found == Some(false) => {
                return not_found("Not found, do not set to zero, maybe this group boot first");
            }
            None if self.is_first_message_in_memory(&asked.topic, asked.queue_id)? => 0,
            None => return not_found("Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"),
        };
        succeed_with_header(request, out, &OffsetResponseHeader { offset })
    }

    /// Whether the queue still begins with its very first message, and that is young enough to be in memory: a new group
    /// then starts with it (`DefaultMessageStore#checkInMemByConsumeOffset`).
    fn is_first_message_in_memory(&self, topic: &str, queue_id: i32) -> Result<bool, Refusal> {
        let mut record = Vec::new();
        let found =
            self.store.get(topic, queue_id, 0, 1, usize::MAX, None, &mut record).map_err(Refusal::system_error)?;
        if found.status != GetStatus::Found || found.min_offset > 0 {
            return Ok(false);
        }
        let (record, _) = decode_record(&record, false).map_err(Refusal::system_error)?;
        let behind = self.store.max_physical_offset() - record.physical_offset;
        Ok(self.memory_for_messages.is_none_or(|memory| behind <= memory))
    }

    pub(super) fn update_consumer_offset(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let commit: UpdateConsumerOffsetRequestHeader<'_> = header(request)?;
        if self.groups.get(&commit.consumer_group).is_none() {
            let remark = format!("Group {} not exist!", commit.consumer_group);
            return Err(Refusal::new(response_code::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
        }
        if !self.topics.contains(&commit.topic) {
            let remark = format!("Topic {} not exist!", commit.topic);
            return Err(Refusal::new(response_code::TOPIC_NOT_EXIST, remark));
        }
        self.offsets.commit(&commit.consumer_group, &commit.topic, commit.queue_id, commit.commit_offset);
        succeed_empty(request, out)
    }

    pub(super) fn search_offset_by_timestamp(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: SearchOffsetRequestHeader<'_> = header(request)?;
        let boundary = match asked.boundary_type.unwrap_or_default() {
            BoundaryType::Lower => Boundary::Lower,
            BoundaryType::Upper => Boundary::Upper,
        };
        let offset = self
            .store
            .offset_by_time(&asked.topic, asked.queue_id, asked.timestamp, boundary)
            .map_err(Refusal::system_error)?;
        succeed_with_header(request, out, &OffsetResponseHeader { offset })
    }

    pub(super) fn get_max_offset(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: GetMaxOffsetRequestHeader<'_> = header(request)?;
        let offset = self.store.max_offset(&asked.topic, asked.queue_id).map_err(Refusal::system_error)?;
        succeed_with_header(request, out, &OffsetResponseHeader { offset })
    }

    pub(super) fn get_min_offset(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: GetMinOffsetRequestHeader<'_> = header(request)?;
        let offset = self.store.min_offset(&asked.topic, asked.queue_id).map_err(Refusal::system_error)?;
        succeed_with_header(request, out, &OffsetResponseHeader { offset })
    }

    pub(super) fn get_earliest_msg_storetime(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: GetEarliestMsgStoretimeRequestHeader<'_> = header(request)?;
        let time = self.store.earliest_time(&asked.topic, asked.queue_id).map_err(Refusal::system_error)?;
        let answer = GetEarliestMsgStoretimeResponseHeader { timestamp: time.unwrap_or(-1) };
        succeed_with_header(request, out, &answer)
    }
}
