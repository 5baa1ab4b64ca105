//! Apache's JSON dialect.
//!
//! Writing follows fastjson: members in alphabetical order (the structs of [`crate::body`] are declared so), null members left out,
//! integer map keys bare (`{0:"a"}`) unless strict JSON is asked for, and maps with [`crate::body::MessageQueue`] keys with the key as
//! a raw object (`{{"brokerName":"b",...}:10}`). Reading accepts all of that besides plain JSON.

mod read;
pub(crate) mod scan;
mod write;

pub use read::{JsonError, from_slice};
pub(crate) use write::{RAW_KEY, write_string};
pub use write::{to_vec, to_vec_pretty, to_vec_strict};
