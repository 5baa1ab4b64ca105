//! What comes out: results and filters of a get.

use rocketmq_codec::message::{TagSet, java_string_hash};

use crate::queue::ext::is_address;

/// Outcome of a get, in Apache's words (`GetMessageStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetStatus {
    /// At least one message.
    Found,
    /// Units were read, none matched the filter.
    NoMatchedMessage,
    /// The messages' bytes are no longer in the commit log.
    MessageWasRemoving,
    /// The queue has units there but they could not be read.
    OffsetFoundNull,
    /// The asked offset is above the max offset.
    OffsetOverflowBadly,
    /// The asked offset is the max offset: nothing there yet.
    OffsetOverflowOne,
    /// The asked offset is below the min offset.
    OffsetTooSmall,
    /// No such queue.
    NoMatchedLogicQueue,
    /// The queue never held a message.
    NoMessageInQueue,
}

/// What a get found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetResult {
    /// How it went.
    pub status: GetStatus,
    /// Where the next get should start.
    pub next_begin_offset: i64,
    /// First offset of the queue.
    pub min_offset: i64,
    /// One more than the last offset of the queue.
    pub max_offset: i64,
    /// How many messages were appended.
    pub count: usize,
    /// How many bytes they have.
    pub bytes: usize,
}

/// Which of two neighbours an offset by time means (`BoundaryType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// The first message at or after the time.
    Lower,
    /// The last message at or before the time.
    Upper,
}

/// How much of each record is read by whoever is shown it. The processor is told that far ahead: what it is not told of is
/// waited for, and what it is told of in vain keeps others waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Its first fields, or nothing.
    Head,
    /// All of it, to copy it.
    Whole,
}

/// A subscription's set of tags. (A subscription to everything needs no filter.)
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagFilter {
    codes: Vec<i32>,
    /// The tags themselves, if they are compared too.
    tags: Option<TagSet>,
}

impl TagFilter {
    /// A filter that lets tags with these Java hash codes through. Collisions are possible, the consumer filters again by the
    /// tag itself. (`DefaultMessageFilter#isMatchedByConsumeQueue`)
    pub fn new(codes: impl IntoIterator<Item = i32>) -> Self {
        Self { codes: codes.into_iter().collect(), tags: None }
    }

    /// A filter that lets these tags through and no others, whatever hashes they share, for whoever asks with no consumer
    /// behind. (`MessageFilter#isMatchedByCommitLog`)
    pub fn exact<T: AsRef<str>>(tags: &[T]) -> Self {
        let tags = || tags.iter().map(AsRef::as_ref);
        Self { codes: tags().map(java_string_hash).collect(), tags: Some(tags().collect()) }
    }

    /// Whether a message with this tags code (low 32 bits) passes. One that is an address where no
    /// ext unit was found says nothing: the consumer alone filters (`CqUnit#getValidTagsCodeAsLong`).
    pub fn matches(&self, tags_code: i64) -> bool {
        is_address(tags_code) || self.codes.contains(&(tags_code as i32))
    }

    /// Whether the record of a message whose tags code passed does so too.
    pub(crate) fn matches_record(&self, record: &[u8]) -> bool {
        self.tags.as_ref().is_none_or(|tags| tags.matches_record(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_compares_the_low_32_bits_and_lets_places_in_an_ext_file_through() {
        let filter = TagFilter::new([7, -1]);
        assert!(filter.matches(7) && filter.matches(-1) && !filter.matches(8));
        assert!(!filter.matches(i64::from(i32::MIN)), "a hash");
        assert!(filter.matches(i64::from(i32::MIN) - 1) && filter.matches(i64::MIN), "places in an ext file");
    }
}
