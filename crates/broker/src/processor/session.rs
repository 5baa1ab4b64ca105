//! State of one connection, touched by its event loop only.

use std::ops::Range;
use std::sync::Arc;

use rocketmq_codec::SerializeType;
use rocketmq_store::PutBatch;

use crate::topic::Topic;

/// A batch that held more than this gives its memory back.
const KEEP_BATCH_BYTES: usize = 1024 * 1024;

/// What a connection reuses from burst to burst.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Messages of this burst that are not stored yet.
    pub(crate) batch: PutBatch,
    /// Sends of this burst that wait for `batch` to be stored.
    pub(crate) waiting: Vec<WaitingSend>,
    /// Unique ids of the waiting sends.
    pub(crate) uniq_keys: String,
    /// The topic that was last sent to, with the table's generation at that time.
    pub(crate) topic: Option<(u64, Arc<Topic>)>,
    /// Properties of the message in hand, as they are stored.
    pub(crate) properties: String,
    /// Records of the pull in hand.
    pub(crate) records: Vec<u8>,
    /// Where a send without a queue id goes next.
    pub(crate) next_queue: u32,
}

/// A send whose answer waits for the store.
#[derive(Debug)]
pub(crate) struct WaitingSend {
    pub(crate) opaque: i32,
    pub(crate) serialize_type: SerializeType,
    pub(crate) oneway: bool,
    /// WAIT=false.
    pub(crate) no_wait: bool,
    pub(crate) queue_id: i32,
    /// Its topic is so new that a restart would not know it.
    pub(crate) awaits_topic: bool,
    /// Its messages in the batch.
    pub(crate) messages: Range<usize>,
    /// Its id in `uniq_keys`; empty when it has none.
    pub(crate) uniq_key: Range<usize>,
}

impl Session {
    /// Forgets what is stored and answered.
    pub(crate) fn clear_batch(&mut self) {
        if self.batch.byte_len() > KEEP_BATCH_BYTES {
            self.batch = PutBatch::new();
        } else {
            self.batch.clear();
        }
        self.waiting.clear();
        self.uniq_keys.clear();
    }
}
