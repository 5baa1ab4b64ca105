//! What JavaScript submits: records written one after the other into a buffer that it keeps, so that one call carries
//! everything of one tick. Little endian; written by `ts/remoting/submission-writer.ts`.
//!
//! ```text
//! every record   u32 kind | u32 record bytes | u32 token | u32 timeout ms | ...
//! 1 SEND         u32 template | u32 sysFlag | i32 flag | i32 reconsumeTimes | f64 bornTimestamp | u32 properties len | u32 body len
//!                properties | body                                                  token NONE: oneway
//! 2 INVOKE       i32 code | u32 remark len | u32 ext count | u32 body len | remark | ext* | body     token NONE: oneway
//! 3 RESPOND      i32 code | u32 remark len | u32 ext count | u32 body len | remark | ext* | body     token: opaque
//! 4 PULL         u32 ext count | u32 tag count | ext* | tag*
//! ext            u32 key len | u32 value len | key | value
//! tag            u32 len | tag
//! ```

use std::time::Duration;

use napi::{Error, Result, Status};

use crate::reader::{Reader, cut_short};

/// A token that stands for nobody.
pub const NONE: u32 = u32::MAX;

/// One record.
#[derive(Debug)]
pub enum Record<'a> {
    /// A send request whose header comes from a template.
    Send(SendRecord<'a>),
    /// Any other request.
    Invoke {
        token: u32,
        timeout: Duration,
        code: i32,
        remark: Option<&'a str>,
        ext: Vec<(&'a str, &'a str)>,
        body: &'a [u8],
    },
    /// An answer to a request of the broker's.
    Respond { opaque: i32, code: i32, remark: Option<&'a str>, ext: Vec<(&'a str, &'a str)>, body: &'a [u8] },
    /// A pull, whose answer is decoded here.
    Pull { token: u32, timeout: Duration, ext: Vec<(&'a str, &'a str)>, tags: Vec<&'a str> },
}

/// The changing parts of a send request.
#[derive(Debug)]
pub struct SendRecord<'a> {
    pub token: u32,
    pub timeout: Duration,
    pub template: u32,
    pub sys_flag: i32,
    pub flag: i32,
    pub reconsume_times: i32,
    pub born_timestamp: i64,
    pub properties: &'a str,
    pub body: &'a [u8],
}

/// Walks the records of a submission.
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next record; `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<Record<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader::new(self.rest);
        let (kind, bytes) = (reader.u32()?, reader.u32()? as usize);
        let (record, rest) = self.rest.split_at_checked(bytes).ok_or_else(cut_short)?;
        self.rest = rest;
        let mut reader = Reader::new(record.get(8..).ok_or_else(cut_short)?);
        let (token, timeout) = (reader.u32()?, Duration::from_millis(u64::from(reader.u32()?)));
        let record = match kind {
            1 => reader.send(token, timeout)?,
            2 => {
                let (code, remark, ext, body) = (reader.i32()?, reader.u32()?, reader.u32()?, reader.u32()?);
                let remark = Some(reader.text(remark)?).filter(|remark| !remark.is_empty());
                Record::Invoke { token, timeout, code, remark, ext: reader.ext(ext)?, body: reader.bytes(body)? }
            }
            3 => {
                let (code, remark, ext, body) = (reader.i32()?, reader.u32()?, reader.u32()?, reader.u32()?);
                let remark = Some(reader.text(remark)?).filter(|remark| !remark.is_empty());
                let (ext, body) = (reader.ext(ext)?, reader.bytes(body)?);
                Record::Respond { opaque: token.cast_signed(), code, remark, ext, body }
            }
            4 => {
                let (ext, tags) = (reader.u32()?, reader.u32()?);
                let ext = reader.ext(ext)?;
                let tags = (0..tags).map(|_| reader.counted_text()).collect::<Result<_>>()?;
                Record::Pull { token, timeout, ext, tags }
            }
            _ => return Err(Error::new(Status::InvalidArg, format!("unknown submission record {kind}"))),
        };
        Ok(Some(record))
    }
}

impl<'a> Reader<'a> {
    fn counted_text(&mut self) -> Result<&'a str> {
        let count = self.u32()?;
        self.text(count)
    }

    fn ext(&mut self, count: u32) -> Result<Vec<(&'a str, &'a str)>> {
        (0..count)
            .map(|_| {
                let (key, value) = (self.u32()?, self.u32()?);
                Ok((self.text(key)?, self.text(value)?))
            })
            .collect()
    }

    fn send(&mut self, token: u32, timeout: Duration) -> Result<Record<'a>> {
        let (template, sys_flag, flag, reconsume_times) = (self.u32()?, self.i32()?, self.i32()?, self.i32()?);
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for the next 285,000 years")]
        let born_timestamp = self.f64()? as i64;
        let (properties, body) = (self.u32()?, self.u32()?);
        Ok(Record::Send(SendRecord {
            token,
            timeout,
            template,
            sys_flag,
            flag,
            reconsume_times,
            born_timestamp,
            properties: self.text(properties)?,
            body: self.bytes(body)?,
        }))
    }
}
