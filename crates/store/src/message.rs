//! What goes in: one message, a reusable batch of them, and what became of each.

use rocketmq_codec::message::HostAddr;

use crate::queue::QueueHandle;
use crate::seat::Seat;
use crate::unit::Unit;

/// One message to store.
#[derive(Debug, Clone, Copy)]
pub struct PutMessage<'a> {
    /// The queue it goes to ([`MessageStore::queue`](crate::MessageStore::queue)); also gives the topic.
    pub queue: &'a QueueHandle,
    /// The user's flag.
    pub flag: i32,
    /// System flags as they came from the producer; the store sets those of the host addresses.
    pub sys_flag: i32,
    /// When the producer made the message, milliseconds since the epoch.
    pub born_timestamp: i64,
    /// Address of the producer.
    pub born_host: HostAddr,
    /// Address of this broker.
    pub store_host: HostAddr,
    /// How often the message was sent back by consumers.
    pub reconsume_times: i32,
    /// Commit log offset of the half message this one decides, else 0.
    pub prepared_transaction_offset: i64,
    /// Body as stored, compressed or not.
    pub body: &'a [u8],
    /// Properties in stored form (`name 0x01 value 0x02 ...`).
    pub properties: &'a str,
}

/// Where a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOutcome {
    /// Offset in its queue; 0 for prepared and rollback messages, which take no slot.
    pub queue_offset: i64,
    /// Offset in the commit log.
    pub physical_offset: i64,
    /// When it was stored, milliseconds since the epoch.
    pub store_timestamp: i64,
}

/// What a successful put gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutTicket {
    /// End of the batch in the commit log: what [`when_flushed`](crate::MessageStore::when_flushed) waits for.
    pub end: i64,
    /// The one store timestamp of the batch.
    pub store_timestamp: i64,
}

/// A stored message whose consume queue entry has become readable.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// That of its queue.
    pub(crate) seat: Seat,
    /// Its offset in its queue; the queue's max offset is at least one more.
    pub queue_offset: i64,
    /// Hash code of its tags (0 without tags), which pulls on hold filter by; in the schedule topic its time of delivery.
    pub tags_code: i64,
    /// Its offset in the commit log.
    pub physical_offset: i64,
    /// Bytes of its record.
    pub size: i32,
    /// When it was stored, milliseconds since the epoch.
    pub store_timestamp: i64,
}

impl Arrival {
    pub(crate) fn unit(&self) -> Unit {
        Unit { physical_offset: self.physical_offset, size: self.size, tags_code: self.tags_code }
    }
}
