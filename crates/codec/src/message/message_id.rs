//! Message ids: where a message lies, and the id its producer gave it.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU16, Ordering};

use super::HostAddr;
use crate::bytes::{Reader, overwrite};

const MAX_ID_BYTES: usize = 28;

/// The text of an id, upper-case hex of 16 or 28 bytes, without an allocation.
#[derive(Clone, Copy)]
pub struct IdText {
    digits: [u8; 2 * MAX_ID_BYTES],
    length: usize,
}

impl IdText {
    /// Hex of the first bytes of `bytes`: 28 with an IPv6 address, else 16.
    fn new(bytes: [u8; MAX_ID_BYTES], v6: bool) -> Self {
        let mut digits = [0; 2 * MAX_ID_BYTES];
        // Arithmetic, not a table, so that the compiler makes it a few vector instructions.
        let digit = |nibble: u8| nibble + b'0' + if nibble > 9 { b'A' - b'9' - 1 } else { 0 };
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(bytes) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        Self { digits, length: if v6 { 2 * MAX_ID_BYTES } else { 32 } }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.digits.get(..self.length).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

impl Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no message id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("malformed message id {0:?}")]
pub struct MessageIdError(String);

/// The id of an address and the twelve bytes behind it.
fn id_of(ip: IpAddr, tail: [u8; 12]) -> IdText {
    let mut bytes = [0; MAX_ID_BYTES];
    let ip_bytes = match ip {
        IpAddr::V4(ip) => {
            overwrite(&mut bytes, 0, &ip.octets());
            4
        }
        IpAddr::V6(ip) => {
            overwrite(&mut bytes, 0, &ip.octets());
            16
        }
    };
    overwrite(&mut bytes, ip_bytes, &tail);
    IdText::new(bytes, ip.is_ipv6())
}

/// The offset message id: broker address and commit log offset (`MessageDecoder.java#createMessageId`).
pub fn offset_id(store_host: &HostAddr, physical_offset: i64) -> IdText {
    let mut tail = [0; 12];
    overwrite(&mut tail, 0, &store_host.port.to_be_bytes());
    overwrite(&mut tail, 4, &physical_offset.to_be_bytes());
    id_of(store_host.ip, tail)
}

/// What an offset message id says.
///
/// # Errors
/// [`MessageIdError`] when the text is not 32 or 56 hex digits.
pub fn decode_offset_id(id: &str) -> Result<(HostAddr, i64), MessageIdError> {
    let malformed = || MessageIdError(id.to_owned());
    let (bytes, v6) = unhex(id).ok_or_else(malformed)?;
    let mut reader = Reader::new(&bytes);
    let host = HostAddr::read(&mut reader, v6).ok_or_else(malformed)?;
    let offset = reader.i64().ok_or_else(malformed)?;
    Ok((host, offset))
}

/// The bytes, zero beyond 16 for the short form, and whether it is the long one.
fn unhex(id: &str) -> Option<([u8; MAX_ID_BYTES], bool)> {
    let v6 = match id.len() {
        32 => false,
        56 => true,
        _ => return None,
    };
    let mut bytes = [0; MAX_ID_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(id.as_bytes().chunks_exact(2)) {
        let nibble = |digit: &u8| char::from(*digit).to_digit(16);
        let [high, low] = pair else { return None };
        *byte = u8::try_from(nibble(high)? << 4 | nibble(low)?).ok()?;
    }
    Some((bytes, v6))
}

/// What a client's unique id says (`MessageClientIDSetter.java`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniqueId {
    /// Address of the client.
    pub ip: IpAddr,
    /// Low 16 bits of its process id.
    pub pid: u16,
    /// A number that tells apart the users of the id within a process; in Java the hash of the class loader.
    pub loader: i32,
    /// Milliseconds since the month began; a month has more of them than a signed number holds.
    pub elapsed_ms: u32,
    /// Counts ids.
    pub counter: u16,
}

impl UniqueId {
    /// The id as text.
    pub fn encode(&self) -> IdText {
        let mut tail = [0; 12];
        overwrite(&mut tail, 0, &self.pid.to_be_bytes());
        overwrite(&mut tail, 2, &self.loader.to_be_bytes());
        overwrite(&mut tail, 6, &self.elapsed_ms.to_be_bytes());
        overwrite(&mut tail, 10, &self.counter.to_be_bytes());
        id_of(self.ip, tail)
    }

    /// Reads an id.
    ///
    /// # Errors
    /// [`MessageIdError`] when the text is not 32 or 56 hex digits.
    pub fn decode(id: &str) -> Result<Self, MessageIdError> {
        let malformed = || MessageIdError(id.to_owned());
        let (bytes, v6) = unhex(id).ok_or_else(malformed)?;
        let mut reader = Reader::new(&bytes);
        let ip = if v6 { reader.array::<16>().map(IpAddr::from) } else { reader.array::<4>().map(IpAddr::from) };
        let mut read = || {
            Some(Self {
                ip: ip?,
                pid: reader.array().map(u16::from_be_bytes)?,
                loader: reader.i32()?,
                elapsed_ms: reader.array().map(u32::from_be_bytes)?,
                counter: reader.array().map(u16::from_be_bytes)?,
            })
        };
        read().ok_or_else(malformed)
    }
}

/// Makes unique ids. Shared by threads; 65536 ids per millisecond before one could come again.
#[derive(Debug)]
pub struct UniqueIdGenerator {
    ip: IpAddr,
    pid: u16,
    loader: i32,
    counter: AtomicU16,
}

impl UniqueIdGenerator {
    /// Ids for the client at `ip` with process id `pid`; `loader` should differ between generators of one process.
    pub fn new(ip: IpAddr, pid: u32, loader: i32) -> Self {
        Self { ip, pid: (pid & 0xFFFF) as u16, loader, counter: AtomicU16::new(0) }
    }

    /// The next id. The month is that of UTC, where Java takes the local one; readers only estimate a time from it.
    pub fn next(&self, now_ms: i64) -> IdText {
        let elapsed_ms = (now_ms - month_start_ms(now_ms)) as u32;
        let counter = self.counter.fetch_add(1, Ordering::Relaxed);
        UniqueId { ip: self.ip, pid: self.pid, loader: self.loader, elapsed_ms, counter }.encode()
    }
}

/// The first millisecond of the UTC month of a time. Civil-from-days after Howard Hinnant: years begin in March, so that the month
/// lengths follow a rule and the leap day comes last.
fn month_start_ms(now_ms: i64) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    let days = now_ms.div_euclid(DAY_MS);
    let shifted = days + 719_468;
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5;
    (days - day_of_month) * DAY_MS
}
