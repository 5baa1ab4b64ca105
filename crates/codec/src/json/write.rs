//! The writing side of the dialect.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

/// First character of a map key that is itself JSON text and goes out raw. Private use, and taken away again by the writer.
pub(crate) const RAW_KEY: char = '\u{F8FF}';

/// Writes a value the way Apache does: integer map keys bare.
///
/// # Panics
/// Never: the body types of this crate have no keys but text, integers and message queues, the only thing serde_json refuses.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    write(value, Dialect::default())
}

/// Writes a value as JSON that every parser reads: integer map keys quoted. Apache answers route requests (105) with it when the
/// asker's version is at least V4_9_4 (401) or it sets `acceptStandardJsonOnly`.
///
/// # Panics
/// Never, as for [`to_vec`].
pub fn to_vec_strict<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    write(value, Dialect { quote_integer_keys: true, ..Dialect::default() })
}

/// [`to_vec`] spread over lines and indented by tabs, the form of the files under `config/` (`JSONWriter.Feature.PrettyFormat`).
///
/// # Panics
/// Never, as for [`to_vec`].
pub fn to_vec_pretty<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    write(value, Dialect { pretty: true, ..Dialect::default() })
}

fn write<T: Serialize + ?Sized>(value: &T, formatter: Dialect) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let outcome = value.serialize(&mut Serializer::with_formatter(&mut out, formatter));
    debug_assert!(outcome.is_ok(), "body types serialize: {outcome:?}");
    out
}

/// Where the formatter is with regard to a map key.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Key {
    #[default]
    Outside,
    /// The key has begun.
    Begun,
    /// Its opening quote is due once it is clear that the key is not bare.
    QuoteDue,
    /// In a quoted key.
    Quoted,
    /// In a bare integer or raw object key.
    Bare,
}

#[derive(Default)]
struct Dialect {
    quote_integer_keys: bool,
    pretty: bool,
    key: Key,
    /// Open objects and arrays.
    depth: usize,
    /// Whether the object or array that ends next has something in it.
    filled: bool,
}

impl Dialect {
    fn open<W: io::Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(bracket)
    }

    /// A comma between elements, a line for each.
    fn element<W: io::Write + ?Sized>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer, self.depth)
    }

    fn new_line<W: io::Write + ?Sized>(&self, writer: &mut W, depth: usize) -> io::Result<()> {
        if self.pretty {
            writer.write_all(b"\n")?;
            (0..depth).try_for_each(|_| writer.write_all(b"\t"))?;
        }
        Ok(())
    }

    fn bare_integer<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.key == Key::QuoteDue {
            if self.quote_integer_keys {
                self.key = Key::Quoted;
                return writer.write_all(b"\"");
            }
            self.key = Key::Bare;
        }
        Ok(())
    }
}

impl Formatter for Dialect {
    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.new_line(writer, self.depth)?;
        }
        writer.write_all(b"}")
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if !self.filled {
            // An empty line is what fastjson2 puts into an empty array, though not into an empty object.
            self.new_line(writer, self.depth)?;
        }
        self.depth -= 1;
        self.new_line(writer, self.depth)?;
        writer.write_all(b"]")
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.element(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.key = Key::Begun;
        self.element(writer, first)
    }

    fn end_object_key<W: io::Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.key = Key::Outside;
        Ok(())
    }

    fn begin_string<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.key == Key::Begun {
            self.key = Key::QuoteDue;
            return Ok(());
        }
        writer.write_all(b"\"")
    }

    fn end_string<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.key {
            Key::Bare => Ok(()),
            // The empty key: no fragment has come.
            Key::QuoteDue => writer.write_all(b"\"\""),
            _ => writer.write_all(b"\""),
        }
    }

    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut text = fragment;
        if self.key == Key::QuoteDue {
            if let Some(raw) = fragment.strip_prefix(RAW_KEY) {
                self.key = Key::Bare;
                text = raw;
            } else {
                self.key = Key::Quoted;
                writer.write_all(b"\"")?;
            }
        }
        writer.write_all(text.as_bytes())
    }

    fn write_char_escape<W: io::Write + ?Sized>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match (self.key, &escape) {
            (Key::QuoteDue, _) => {
                self.key = Key::Quoted;
                writer.write_all(b"\"")?;
            }
            // A raw key is JSON text already: what looks like a special character is meant as it stands.
            (Key::Bare, CharEscape::Quote) => return writer.write_all(b"\""),
            (Key::Bare, CharEscape::ReverseSolidus) => return writer.write_all(b"\\"),
            _ => {}
        }
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn write_i32<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: i32) -> io::Result<()> {
        self.bare_integer(writer)?;
        CompactFormatter.write_i32(writer, value)
    }

    fn write_i64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.bare_integer(writer)?;
        CompactFormatter.write_i64(writer, value)
    }
}

/// Appends a JSON string with its quotes, escaping what must be.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut tail = special.chars();
        match tail.next().unwrap_or_default() {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            control => {
                let code = control as u8;
                let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(code >> 4), digit(code & 15)]);
            }
        }
        rest = tail.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}
