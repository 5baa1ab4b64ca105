//! Queries by key: 12.

use std::borrow::Cow;

use super::headers;

headers! {
    /// Request header of QUERY_MESSAGE (12), `QueryMessageRequestHeader.java`.
    pub struct QueryMessageRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Key, unique key or tag.
        key: Cow<'a, str> = "key",
        /// Messages wanted at most.
        max_num: i32 = "maxNum",
        /// First store timestamp, in milliseconds.
        begin_timestamp: i64 = "beginTimestamp",
        /// Last store timestamp, in milliseconds.
        end_timestamp: i64 = "endTimestamp",
        /// What `key` is: `K` (default), `U` or `T`, a tag.
        index_type: Option<Cow<'a, str>> = "indexType",
        /// Where to go on, in a kind of index that is not in files.
        last_key: Option<Cow<'a, str>> = "lastKey",
    }

    /// Response header of 12, `QueryMessageResponseHeader.java`.
    pub struct QueryMessageResponseHeader {
        /// Store timestamp of the last message that is indexed.
        index_last_update_timestamp: i64 = "indexLastUpdateTimestamp",
        /// Its place in the commit log.
        index_last_update_phy_offset: i64 = "indexLastUpdatePhyoffset",
    }
}
