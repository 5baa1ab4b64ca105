//! Requests of one channel that wait for their answers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// One request that waits.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) pending: P,
    pub(crate) started_ms: u64,
    pub(crate) deadline_ms: u64,
    /// Which of the connections that its channel has had it goes to.
    pub(crate) generation: u32,
}

/// Opaque to waiting request. An answer finds its request once; a late one finds nothing.
#[derive(Debug)]
pub(crate) struct PendingTable<P> {
    entries: HashMap<i32, Entry<P>, BuildHasherDefault<OpaqueHasher>>,
    next_opaque: i32,
}

impl<P> Default for PendingTable<P> {
    fn default() -> Self {
        Self { entries: HashMap::default(), next_opaque: 0 }
    }
}

impl<P> PendingTable<P> {
    /// Appends opaques that no request uses, the first of them last.
    pub(crate) fn reserve(&mut self, count: usize, opaques: &mut Vec<i32>) {
        let start = opaques.len();
        while opaques.len() < start + count {
            let opaque = self.next_opaque;
            // 31 bits: Java counts in a signed int and some peers take a negative one for an error.
            self.next_opaque = opaque.wrapping_add(1) & i32::MAX;
            // After 2^31 requests an old one may still wait.
            if !self.entries.contains_key(&opaque) {
                opaques.push(opaque);
            }
        }
        opaques[start..].reverse();
    }

    /// Lets a request wait for its answer, with an opaque that was reserved for it.
    pub(crate) fn insert(&mut self, opaque: i32, entry: Entry<P>) {
        self.entries.insert(opaque, entry);
    }

    pub(crate) fn take(&mut self, opaque: i32) -> Option<Entry<P>> {
        self.entries.remove(&opaque)
    }

    pub(crate) fn take_all(&mut self) -> Vec<Entry<P>> {
        self.entries.drain().map(|(_, entry)| entry).collect()
    }

    /// Takes out what went to one connection.
    pub(crate) fn take_generation(&mut self, generation: u32) -> Vec<Entry<P>> {
        self.entries.extract_if(|_, entry| entry.generation == generation).map(|(_, entry)| entry).collect()
    }

    /// Whether something waits that went to that connection.
    pub(crate) fn has_generation(&self, generation: u32) -> bool {
        self.entries.values().any(|entry| entry.generation == generation)
    }

    /// Takes out what is due, and says when the next of the rest will be.
    pub(crate) fn expire(&mut self, now_ms: u64) -> (Vec<Entry<P>>, Option<u64>) {
        let mut next = None;
        let mut due = Vec::new();
        for (opaque, entry) in &self.entries {
            if entry.deadline_ms <= now_ms {
                due.push(*opaque);
            } else {
                next = Some(next.map_or(entry.deadline_ms, |n: u64| n.min(entry.deadline_ms)));
            }
        }
        (due.into_iter().filter_map(|opaque| self.entries.remove(&opaque)).collect(), next)
    }
}

/// Opaques are consecutive numbers of our own making, so a multiplication spreads them well enough.
#[derive(Default)]
struct OpaqueHasher(u64);

impl Hasher for OpaqueHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i32(i32::from(*byte));
        }
    }

    fn write_i32(&mut self, value: i32) {
        self.0 = (self.0 ^ u64::from(value.cast_unsigned())).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pending: u32, deadline_ms: u64) -> Entry<u32> {
        Entry { pending, started_ms: 0, deadline_ms, generation: 0 }
    }

    fn insert(table: &mut PendingTable<u32>, entry: Entry<u32>) -> i32 {
        let mut opaques = Vec::new();
        table.reserve(1, &mut opaques);
        table.insert(opaques[0], entry);
        opaques[0]
    }

    #[test]
    fn an_answer_finds_its_request_once() {
        let mut table = PendingTable::default();
        let opaque = insert(&mut table, entry(7, 10));
        assert_eq!(table.take(opaque).map(|e| e.pending), Some(7));
        assert!(table.take(opaque).is_none());
    }

    #[test]
    fn what_is_due_expires_and_the_next_deadline_is_told() {
        let mut table = PendingTable::default();
        for deadline in [30, 10, 20] {
            insert(&mut table, entry(deadline, u64::from(deadline)));
        }
        let (due, next) = table.expire(10);
        assert_eq!(due.iter().map(|e| e.pending).collect::<Vec<_>>(), [10]);
        assert_eq!(next, Some(20));
        assert_eq!(table.expire(40).1, None);
    }

    #[test]
    fn opaques_wrap_at_31_bits_and_skip_those_still_in_use() {
        let mut table = PendingTable::default();
        let first = insert(&mut table, entry(1, 1));
        table.next_opaque = i32::MAX;
        let mut opaques = Vec::new();
        table.reserve(2, &mut opaques);
        assert_eq!(opaques, [first + 1, i32::MAX]);
    }
}
