//! The JSON form of a frame header, read without a value tree.
//!
//! Tolerates what Apache's readers do: unknown members, numbers given as strings, `language` by name or ordinal, ext values that are
//! numbers or booleans (kept as text) or null (dropped).

use std::borrow::Cow;

use super::ext::JsonField;
use super::{Command, ExtFields, FrameError, SerializeType};
use crate::json::scan::{ScanError, Scanner, Token};
use crate::language_code;

pub(super) fn decode<'a>(header: &'a [u8], body: &'a [u8]) -> Result<Command<'a>, FrameError> {
    let mut command = Command {
        serialize_type: SerializeType::Json,
        code: 0,
        language: language_code::JAVA,
        version: 0,
        opaque: 0,
        flag: 0,
        remark: None,
        ext: ExtFields::default(),
        body,
    };
    read_members(header, &mut command).map_err(|ScanError { at, what }| FrameError::Json { at, what })?;
    Ok(command)
}

fn read_members<'a>(header: &'a [u8], command: &mut Command<'a>) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(header)?;
    scanner.expect(b'{')?;
    let mut first = true;
    while let Some(name) = scanner.next_member(&mut first)? {
        match &*name {
            "code" => set_integer(&mut scanner, &mut command.code)?,
            "version" => set_integer(&mut scanner, &mut command.version)?,
            "opaque" => set_integer(&mut scanner, &mut command.opaque)?,
            "flag" => set_integer(&mut scanner, &mut command.flag)?,
            "language" => set_language(&mut scanner, &mut command.language)?,
            "remark" => command.remark = text(scanner.value()?),
            "extFields" => command.ext = ExtFields::from_json(read_ext(&mut scanner)?),
            _ => drop(scanner.value()?),
        }
    }
    scanner.end()
}

fn text(token: Token<'_>) -> Option<Cow<'_, str>> {
    match token {
        Token::String(text) => Some(text),
        Token::Raw("null") => None,
        Token::Raw(text) => Some(Cow::Borrowed(text)),
    }
}

/// Null leaves the default, as it does in Java.
fn set_integer(scanner: &mut Scanner<'_>, target: &mut i32) -> Result<(), ScanError> {
    let at = scanner.at();
    if let Some(text) = text(scanner.value()?) {
        *target = text.parse().map_err(|_invalid| ScanError { at, what: "expected a 32-bit integer" })?;
    }
    Ok(())
}

fn set_language(scanner: &mut Scanner<'_>, target: &mut u8) -> Result<(), ScanError> {
    if let Some(text) = text(scanner.value()?) {
        *target = text.parse().unwrap_or_else(|_name| language_code::from_name(&text));
    }
    Ok(())
}

fn read_ext<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<JsonField<'a>>, ScanError> {
    if !scanner.eat(b'{') {
        return match scanner.value()? {
            Token::Raw("null") => Ok(Vec::new()),
            _ => Err(ScanError { at: scanner.at(), what: "extFields is not an object" }),
        };
    }
    let mut fields = Vec::with_capacity(16);
    let mut first = true;
    while let Some(name) = scanner.next_member(&mut first)? {
        if let Some(value) = text(scanner.value()?) {
            fields.push((name, value));
        }
    }
    Ok(fields)
}
