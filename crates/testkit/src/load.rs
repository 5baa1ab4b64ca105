//! What the messages of the benchmarks carry: the same as those of StoreLoad.java in benches/store.

/// A body of `bytes` bytes.
pub fn body_of(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 + 7) as u8).collect()
}

/// What each put carries besides its body: a key and a unique key, other ones each time.
#[derive(Debug)]
pub struct KeyedProperties(Vec<u8>);

impl Default for KeyedProperties {
    fn default() -> Self {
        Self(Self::TEMPLATE.as_bytes().to_vec())
    }
}

impl KeyedProperties {
    /// As they are stored, with zeros for both keys' numbers.
    pub const TEMPLATE: &str =
        "KEYS\u{1}k00000000\u{2}UNIQ_KEY\u{1}7F0000010000789F0000000000000000\u{2}WAIT\u{1}true\u{2}";
    const KEY_ENDS_AT: usize = 14;
    const UNIQUE_KEY_ENDS_AT: usize = 56;

    /// Those of message `number`.
    pub fn of(&mut self, number: usize) -> &str {
        let mut rest = number;
        for index in 1..=8 {
            let digit = b'0' + (rest % 10) as u8;
            self.0[Self::KEY_ENDS_AT - index] = digit;
            self.0[Self::UNIQUE_KEY_ENDS_AT - index] = digit;
            rest /= 10;
        }
        // ASCII throughout.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
