//! A pull scanner over JSON text: borrowed strings, no tree. Used where the shape is known and speed matters.

use std::borrow::Cow;

use crate::bytes::find_either;

/// Containers nested deeper than this are refused, whatever is in them.
pub(crate) const MAX_DEPTH: usize = 64;

/// Where and why a text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScanError {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

/// One value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// The text of anything else: number, `true`, `false`, `null`, or a whole object or array.
    Raw(&'a str),
}

/// Reads values from the front of a text. Blanks before a token are skipped.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, ScanError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(invalid) => Err(ScanError { at: invalid.valid_up_to(), what: "not UTF-8" }),
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, ScanError> {
        Err(ScanError { at: self.at, what })
    }

    /// The next byte that is no blank, which stays unread.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Takes `byte` if it is next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.eat(byte) { Ok(()) } else { self.fail("expected another character here") }
    }

    /// The text must be over.
    pub(crate) fn end(&mut self) -> Result<(), ScanError> {
        if self.peek().is_none() { Ok(()) } else { self.fail("text behind the end") }
    }

    /// Inside an object: the next member's name with its colon taken, or `None` with the closing brace taken.
    #[inline]
    pub(crate) fn next_member(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>, ScanError> {
        if self.eat(b'}') {
            return Ok(None);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        if self.peek() != Some(b'"') {
            return self.fail("expected a member name");
        }
        let name = self.string()?;
        self.expect(b':')?;
        Ok(Some(name))
    }

    /// Any value.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<Token<'a>, ScanError> {
        match self.peek() {
            Some(b'"') => self.string().map(Token::String),
            Some(b'{' | b'[') => self.container().map(Token::Raw),
            Some(_) => self.scalar().map(Token::Raw),
            None => self.fail("expected a value"),
        }
    }

    #[inline]
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A number or a bare word; the caller says what it may be.
    pub(crate) fn scalar(&mut self) -> Result<&'a str, ScanError> {
        self.peek();
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        self.at += rest
            .iter()
            .position(
                |byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.' | b'_' | b'$'),
            )
            .unwrap_or(rest.len());
        if self.at == start { self.fail("expected a value") } else { Ok(self.since(start)) }
    }

    /// A whole object or array, brackets balanced, nothing inside examined further.
    fn container(&mut self) -> Result<&'a str, ScanError> {
        let start = self.at;
        let mut depth = 0;
        loop {
            match self.peek() {
                Some(b'"') => drop(self.string()?),
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                    if depth > MAX_DEPTH {
                        return self.fail("nested too deeply");
                    }
                }
                Some(b'}' | b']') => {
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        return Ok(self.since(start));
                    }
                }
                Some(b',' | b':') => self.at += 1,
                Some(_) => drop(self.scalar()?),
                None => return self.fail("object or array without end"),
            }
        }
    }

    /// A double-quoted string, which is next.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, ScanError> {
        self.expect(b'"')?;
        let start = self.at;
        let run = self.plain_run()?;
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(run));
        }
        // Property strings, full of escapes, are the usual case.
        let mut text = String::with_capacity(run.len() + 128);
        text.push_str(run);
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(_) => text.push_str(self.plain_run()?),
                None => return Err(ScanError { at: start, what: "string without end" }),
            }
        }
    }

    /// Text up to the next quote or backslash. Control characters are let through, as fastjson does.
    #[inline]
    fn plain_run(&mut self) -> Result<&'a str, ScanError> {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        match find_either(rest, b'"', b'\\') {
            Some(length) => self.at += length,
            None => return self.fail("string without end"),
        }
        Ok(self.since(start))
    }

    /// What follows a backslash. A lone surrogate becomes U+FFFD.
    fn escape(&mut self) -> Result<char, ScanError> {
        let Some(byte) = self.text.as_bytes().get(self.at) else { return self.fail("string without end") };
        let plain = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return self.fail("unknown escape"),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, ScanError> {
        let high = self.hex4()?;
        if (0xD800..0xDC00).contains(&high) {
            let behind = self.at;
            if self.text.get(behind..).is_some_and(|rest| rest.starts_with("\\u")) {
                self.at += 2;
                let low = self.hex4()?;
                if (0xDC00..0xE000).contains(&low) {
                    let point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    return Ok(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                self.at = behind;
            }
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, ScanError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(value) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return self.fail("expected four hex digits");
        };
        self.at += 4;
        Ok(value)
    }
}
