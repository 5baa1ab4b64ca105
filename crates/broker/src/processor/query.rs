//! Messages by key and by offset: 12 and 33 (`broker/processor/QueryMessageProcessor.java`).

use rocketmq_codec::header::{QueryMessageRequestHeader, QueryMessageResponseHeader};
use rocketmq_codec::{Command, Head, response_code};

use super::reply::{Handled, Refusal, answer, field, header, succeed};
use crate::broker::BrokerState;

/// Ext field that says that the key is a unique one (`MixAll#UNIQUE_MSG_QUERY_FLAG`).
const UNIQUE_KEY_QUERY: &str = "_UNIQUE_KEY_QUERY";
/// Type of a query by tag (`MessageConst#INDEX_TAG_TYPE`).
const TAG_TYPE: &str = "T";
/// An answer gets no more messages once it has so many bytes: Apache's clients take frames of 16 MiB.
const MAX_ANSWER_BYTES: usize = 15 * 1024 * 1024;

impl BrokerState {
    pub(super) fn query_message(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: QueryMessageRequestHeader<'_> = header(request)?;
        let is_unique = request.ext.get(UNIQUE_KEY_QUERY).is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
        let max_count = if is_unique {
            self.config.default_query_max_num
        } else {
            usize::try_from(asked.max_num).unwrap_or_default()
        };
        let is_tag = !is_unique && asked.index_type.as_deref() == Some(TAG_TYPE);
        let key = if is_tag { format!("{TAG_TYPE}#{}", asked.key) } else { asked.key.into_owned() };
        let found = self
            .store
            .query(&asked.topic, &key, max_count, asked.begin_timestamp, asked.end_timestamp)
            .map_err(Refusal::system_error)?;
        let records = self.newest_records(&found.physical_offsets)?;
        let header = QueryMessageResponseHeader {
            index_last_update_timestamp: found.index_last_update_timestamp,
            index_last_update_phy_offset: found.index_last_update_phy_offset,
        };
        if records.is_empty() {
            let remark = Some("can not find message, maybe time range not correct");
            let head = Head { remark, ..Head::response(response_code::QUERY_NOT_FOUND, request.opaque) };
            return answer(request, out, head, |frame| frame.header(&header));
        }
        succeed(request, out, |frame| {
            frame.header(&header);
            let body = frame.begin_body();
            for record in records.iter().rev() {
                body.extend_from_slice(record);
            }
        })
    }

    /// The records at these places, the last first, as many as an answer takes.
    fn newest_records(&self, places: &[i64]) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut records: Vec<Vec<u8>> = Vec::new();
        let mut bytes = 0;
        for place in places.iter().rev() {
            let mut record = Vec::new();
            if !self.store.record_at(*place, &mut record).map_err(Refusal::system_error)? {
                continue;
            }
            bytes += record.len();
            if bytes > MAX_ANSWER_BYTES && !records.is_empty() {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    pub(super) fn view_message_by_id(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let offset = field(request, "offset")?.parse::<i64>().map_err(Refusal::system_error)?;
        let mut record = Vec::new();
        if !self.store.record_at(offset, &mut record).map_err(Refusal::system_error)? {
            return Err(Refusal::system_error(format_args!("can not find message by the offset, {offset}")));
        }
        succeed(request, out, |frame| frame.begin_body().extend_from_slice(&record))
    }
}
