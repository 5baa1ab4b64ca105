//! Messages as JavaScript hands them to the store: one behind the other in a buffer that it keeps. Little endian; written by
//! `ts/store/put-writer.ts`.
//!
//! ```text
//! every message  u32 message bytes | u32 topic | i32 queueId | i32 flag | i32 sysFlag | i32 reconsumeTimes | i64 preparedTransactionOffset
//!                u8 born address bytes | u8 store address bytes | u16 0 | f64 bornTimestamp | u32 properties len | u32 body len
//!                [born address | i32 port] | [store address | i32 port] | properties | body      address bytes 0: the store's
//! ```
//!
//! What became of them is written over them:
//!
//! ```text
//! f64 storeTimestamp | i64 end of the last record | (i64 queueOffset | i64 physicalOffset) for each
//! ```

use std::net::IpAddr;

use napi::Result;
use rocketmq_store::{HostAddr, MessageStore, PutBatch, PutMessage, PutTicket};

use crate::failure::invalid;
use crate::reader::{Reader, cut_short};
use crate::store::store_failure;
use crate::store_topics::Topics;

/// Adds all messages of `bytes` to the batch.
pub fn push_all(
    batch: &mut PutBatch,
    store: &MessageStore,
    topics: &mut Topics,
    host: HostAddr,
    bytes: &[u8],
) -> Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut reader = Reader::new(rest);
        let size = reader.u32()? as usize;
        let (message, behind) = rest.split_at_checked(size).filter(|_| size > 0).ok_or_else(cut_short)?;
        rest = behind;
        let mut reader = Reader::new(message.get(4..).unwrap_or_default());
        let queue = topics.queue(store, reader.u32()?, reader.i32()?).ok_or_else(cut_short)?;
        let queue = queue.map_err(|error| store_failure(&error))?;
        let (flag, sys_flag, reconsume_times) = (reader.i32()?, reader.i32()?, reader.i32()?);
        let prepared_transaction_offset = reader.array().map(i64::from_le_bytes)?;
        let [born_bytes, store_bytes, _, _] = reader.array()?;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for the next 285,000 years")]
        let born_timestamp = reader.f64()? as i64;
        let (properties, body) = (reader.u32()?, reader.u32()?);
        let born_host = reader.host(born_bytes)?.unwrap_or(host);
        let store_host = reader.host(store_bytes)?.unwrap_or(host);
        let properties = reader.text(properties)?;
        let message = PutMessage {
            queue,
            flag,
            sys_flag,
            born_timestamp,
            born_host,
            store_host,
            reconsume_times,
            prepared_transaction_offset,
            body: reader.bytes(body)?,
            properties,
        };
        batch.push(store, &message).map_err(|error| invalid(&error))?;
    }
    Ok(())
}

/// Writes what became of the messages over them.
pub fn write_outcomes(batch: &PutBatch, ticket: PutTicket, into: &mut [u8]) -> Result<()> {
    let (head, rest) = into.split_first_chunk_mut::<16>().ok_or_else(cut_short)?;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in a double")]
    head[..8].copy_from_slice(&(ticket.store_timestamp as f64).to_le_bytes());
    head[8..].copy_from_slice(&ticket.end.to_le_bytes());
    for (index, slot) in rest.as_chunks_mut::<16>().0.iter_mut().enumerate().take(batch.len()) {
        let Some(outcome) = batch.outcome(index) else { break };
        slot[..8].copy_from_slice(&outcome.queue_offset.to_le_bytes());
        slot[8..].copy_from_slice(&outcome.physical_offset.to_le_bytes());
    }
    Ok(())
}

impl Reader<'_> {
    fn host(&mut self, bytes: u8) -> Result<Option<HostAddr>> {
        let ip = match bytes {
            0 => return Ok(None),
            4 => IpAddr::from(self.array::<4>()?),
            _ => IpAddr::from(self.array::<16>()?),
        };
        Ok(Some(HostAddr { ip, port: self.i32()? }))
    }
}
