//! Writing one frame straight into an output buffer.

use super::{FLAG_RESPONSE, FrameError, MAX_FRAME_BYTES, PREFIX_BYTES, SerializeType, Signer, VERSION};
use crate::bytes::overwrite;
use crate::header::EncodeHeader;
use crate::json::write_string;
use crate::language_code;

/// The fixed part of a frame's header.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Request code or response code.
    pub code: i32,
    /// Language code of this side, see [`crate::language_code`].
    pub language: u8,
    /// Protocol version of this side.
    pub version: i32,
    /// Correlation number: of the request.
    pub opaque: i32,
    /// Bit 0 response, bit 1 oneway.
    pub flag: i32,
    /// Explanation for humans.
    pub remark: Option<&'a str>,
}

impl Head<'_> {
    /// A request from this library: language RUST, version [`VERSION`].
    pub fn request(code: i32, opaque: i32) -> Self {
        Head { code, language: language_code::RUST, version: VERSION, opaque, flag: 0, remark: None }
    }

    /// The response of this library to the request with that `opaque`.
    pub fn response(code: i32, opaque: i32) -> Self {
        Head { flag: FLAG_RESPONSE, ..Self::request(code, opaque) }
    }
}

/// Appends one frame to a buffer: head, then ext fields, then the body, then [`FrameWriter::finish`].
///
/// A writer that is dropped unfinished, like one that fails, leaves the buffer as it was.
#[derive(Debug)]
#[must_use = "a frame that is not finished is taken back"]
pub struct FrameWriter<'o> {
    out: &'o mut Vec<u8>,
    head: Head<'o>,
    start: usize,
    serialize_type: SerializeType,
    /// Binary: where the length of the map block is. JSON: 0 until `extFields` has been opened, 1 while empty, 2 with fields.
    ext: usize,
    body_start: Option<usize>,
    longest_key: usize,
    /// Who signs the frame, and where its signature is.
    signer: Option<(&'o Signer, usize)>,
    finished: bool,
}

impl<'o> FrameWriter<'o> {
    /// Starts a frame at the end of `out`.
    ///
    /// A code that does not fit the 16 bits of the binary header (POP and its family) makes the frame JSON; frames say themselves
    /// what they are, and Apache's own binary writer would send a different code.
    pub fn begin(out: &'o mut Vec<u8>, serialize_type: SerializeType, head: Head<'o>) -> Self {
        let start = out.len();
        let (code, version) = (i16::try_from(head.code), i16::try_from(head.version));
        let mut writer = Self {
            out,
            head,
            start,
            serialize_type: SerializeType::Json,
            ext: 0,
            body_start: None,
            longest_key: 0,
            signer: None,
            finished: false,
        };
        if let (SerializeType::RocketMq, Ok(code), Ok(version)) = (serialize_type, code, version) {
            writer.serialize_type = SerializeType::RocketMq;
            writer.begin_binary(code, version);
        } else {
            writer.out.extend_from_slice(&[0; PREFIX_BYTES]);
            writer.out.extend_from_slice(b"{\"code\":");
            writer.push_integer(head.code);
        }
        writer
    }

    fn begin_binary(&mut self, code: i16, version: i16) {
        let remark = self.head.remark.unwrap_or_default().as_bytes();
        let mut fixed = [0; PREFIX_BYTES + 17];
        let [.., code_1, code_0, language, version_1, version_0, o3, o2, o1, o0, f3, f2, f1, f0, r3, r2, r1, r0] =
            &mut fixed;
        [*code_1, *code_0] = code.to_be_bytes();
        *language = self.head.language;
        [*version_1, *version_0] = version.to_be_bytes();
        [*o3, *o2, *o1, *o0] = self.head.opaque.to_be_bytes();
        [*f3, *f2, *f1, *f0] = self.head.flag.to_be_bytes();
        [*r3, *r2, *r1, *r0] = (remark.len() as u32).to_be_bytes();
        self.out.extend_from_slice(&fixed);
        self.out.extend_from_slice(remark);
        self.ext = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
    }

    /// Has the frame signed when it is finished. To be called before any field is appended.
    pub fn sign_with(&mut self, signer: &'o Signer) {
        let length = signer.write_fields(|name, value| self.ext_str(name, value));
        let closing_quote = usize::from(self.serialize_type == SerializeType::Json);
        self.signer = Some((signer, self.out.len() - closing_quote - length));
    }

    /// Appends the fields of a typed header.
    pub fn header(&mut self, header: &impl EncodeHeader) {
        if self.serialize_type == SerializeType::Json {
            self.open_json_ext();
        }
        header.encode(self);
    }

    /// Appends a text field.
    #[inline]
    pub fn ext_str(&mut self, key: &str, value: &str) {
        debug_assert!(self.body_start.is_none(), "field {key} behind the header");
        match self.serialize_type {
            SerializeType::RocketMq => self.binary_field(key, value),
            SerializeType::Json => self.json_field(key, value),
        }
    }

    /// Inlined, so that a field of a typed header, whose name is a constant, is a few stores and one copy.
    #[inline]
    fn binary_field(&mut self, key: &str, value: &str) {
        self.longest_key = self.longest_key.max(key.len());
        self.out.reserve(6 + key.len() + value.len());
        self.out.extend_from_slice(&(key.len() as u16).to_be_bytes());
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(&(value.len() as u32).to_be_bytes());
        self.out.extend_from_slice(value.as_bytes());
    }

    #[inline(never)]
    fn json_field(&mut self, key: &str, value: &str) {
        self.longest_key = self.longest_key.max(key.len());
        self.open_json_ext();
        if self.ext == 2 {
            self.out.push(b',');
        }
        self.ext = 2;
        write_string(self.out, key);
        self.out.push(b':');
        write_string(self.out, value);
    }

    /// Appends a 32-bit field, as decimal text like every field.
    #[inline]
    pub fn ext_i32(&mut self, key: &str, value: i32) {
        self.ext_str(key, itoa::Buffer::new().format(value));
    }

    /// Appends a 64-bit field.
    #[inline]
    pub fn ext_i64(&mut self, key: &str, value: i64) {
        self.ext_str(key, itoa::Buffer::new().format(value));
    }

    /// Appends a boolean field.
    #[inline]
    pub fn ext_bool(&mut self, key: &str, value: bool) {
        self.ext_str(key, if value { "true" } else { "false" });
    }

    /// Ends the header; what is appended to the returned buffer is the body. May be called again to append more.
    pub fn begin_body(&mut self) -> &mut Vec<u8> {
        if self.body_start.is_none() {
            match self.serialize_type {
                SerializeType::RocketMq => {
                    let length = (self.out.len() - self.ext - 4) as u32;
                    overwrite(self.out, self.ext, &length.to_be_bytes());
                }
                SerializeType::Json => self.close_json(),
            }
            self.body_start = Some(self.out.len());
        }
        self.out
    }

    /// Ends the frame and fills in its lengths.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] above [`MAX_FRAME_BYTES`], [`FrameError::KeyTooLong`] for a name no binary header carries; the buffer
    /// is then as it was before [`FrameWriter::begin`].
    pub fn finish(mut self) -> Result<(), FrameError> {
        self.begin_body();
        let total = self.out.len() - self.start;
        if total > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge { total: total as u64, max: MAX_FRAME_BYTES });
        }
        if self.longest_key > i16::MAX as usize {
            return Err(FrameError::KeyTooLong { length: self.longest_key });
        }
        let header = self.body_start.unwrap_or(self.start) - self.start - PREFIX_BYTES;
        let mark = (self.serialize_type as u32) << 24 | header as u32;
        let prefix = u64::from((total - 4) as u32) << 32 | u64::from(mark);
        overwrite(self.out, self.start, &prefix.to_be_bytes());
        if let Some((signer, at)) = self.signer {
            let signature = self.signature(signer);
            overwrite(self.out, at, &signature);
        }
        self.finished = true;
        Ok(())
    }

    fn signature(&self, signer: &Signer) -> [u8; 28] {
        let part = |from: usize, to: usize| self.out.get(from..to).unwrap_or_default();
        let (body_start, end) = (self.body_start.unwrap_or(self.out.len()), self.out.len());
        match self.serialize_type {
            SerializeType::RocketMq => signer.sign_binary(part(self.ext + 4, body_start), part(body_start, end)),
            SerializeType::Json => signer.sign_json(part(self.start, end)),
        }
    }

    fn push_integer(&mut self, value: i32) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn open_json_ext(&mut self) {
        if self.ext == 0 {
            self.out.extend_from_slice(b",\"extFields\":{");
            self.ext = 1;
        }
    }

    /// The members behind `extFields`, alphabetical as Apache's writer has them.
    fn close_json(&mut self) {
        if self.ext != 0 {
            self.out.push(b'}');
        }
        self.out.extend_from_slice(b",\"flag\":");
        self.push_integer(self.head.flag);
        self.out.extend_from_slice(b",\"language\":\"");
        self.out.extend_from_slice(language_code::name(self.head.language).as_bytes());
        self.out.extend_from_slice(b"\",\"opaque\":");
        self.push_integer(self.head.opaque);
        if let Some(remark) = self.head.remark {
            self.out.extend_from_slice(b",\"remark\":");
            write_string(self.out, remark);
        }
        self.out.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
        self.push_integer(self.head.version);
        self.out.push(b'}');
    }
}

impl Drop for FrameWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}
