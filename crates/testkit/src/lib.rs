//! For tests only: golden files, crash child, workloads

pub mod fuzz;
mod load;

use std::net::SocketAddr;

pub use load::{KeyedProperties, body_of};
use rocketmq_store::{HostAddr, PutMessage, QueueHandle};

/// A message as the programs of this crate put them: of this machine, with nothing but a body and properties.
pub fn plain_message<'a>(queue: &'a QueueHandle, body: &'a [u8], properties: &'a str) -> PutMessage<'a> {
    let host = HostAddr::from(SocketAddr::from(([127, 0, 0, 1], 1234)));
    PutMessage {
        queue,
        flag: 0,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        born_host: host,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties,
    }
}
