//! The reading side of the dialect: plain JSON first, and only when that fails a tolerant parse into a small tree.

use std::borrow::Cow;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};

use super::scan::{MAX_DEPTH, ScanError, Scanner};

/// A body that is neither JSON nor what fastjson takes for it, or does not fit the type it should have.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is malformed, even by fastjson's standards.
    #[error("malformed JSON at byte {at}: {what}")]
    Syntax {
        /// Byte position.
        at: usize,
        /// What was expected or found.
        what: &'static str,
    },
    /// The text is well-formed and says something else than expected.
    #[error("unexpected JSON: {0}")]
    Shape(String),
}

impl de::Error for JsonError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        JsonError::Shape(message.to_string())
    }
}

/// Reads a body, tolerating what fastjson writes and reads: integer and object map keys without quotes, numbers and booleans in
/// quotes, numbers where text is expected, null for a member with a default. Nesting is bounded.
///
/// # Errors
/// [`JsonError`], with the position for malformed text.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let node = parse(bytes).map_err(|ScanError { at, what }| JsonError::Syntax { at, what })?;
    T::deserialize(node)
}

/// A tolerantly parsed value.
#[derive(Debug)]
enum Node<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

fn parse(bytes: &[u8]) -> Result<Node<'_>, ScanError> {
    let mut scanner = Scanner::new(bytes)?;
    let node = parse_value(&mut scanner, MAX_DEPTH)?;
    scanner.end()?;
    Ok(node)
}

fn parse_value<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<Node<'a>, ScanError> {
    let deeper = || depth.checked_sub(1);
    match scanner.peek() {
        Some(b'"') => scanner.string().map(Node::Text),
        Some(b'{') => parse_object(scanner, deeper().ok_or(ScanError { at: scanner.at(), what: "nested too deeply" })?),
        Some(b'[') => parse_list(scanner, deeper().ok_or(ScanError { at: scanner.at(), what: "nested too deeply" })?),
        _ => {
            let at = scanner.at();
            Ok(match scanner.scalar()? {
                "null" => Node::Null,
                "true" => Node::Bool(true),
                "false" => Node::Bool(false),
                number if is_number(number) => Node::Number(number),
                _ => return Err(ScanError { at, what: "expected a value" }),
            })
        }
    }
}

/// Rust's own parser also takes `inf` and `nan`.
fn is_number(text: &str) -> bool {
    let known = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(known) && text.parse::<f64>().is_ok()
}

fn parse_list<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<Node<'a>, ScanError> {
    scanner.expect(b'[')?;
    let mut items = Vec::new();
    while !scanner.eat(b']') {
        if !items.is_empty() {
            scanner.expect(b',')?;
        }
        items.push(parse_value(scanner, depth)?);
    }
    Ok(Node::List(items))
}

fn parse_object<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<Node<'a>, ScanError> {
    scanner.expect(b'{')?;
    let mut members = Vec::new();
    let mut first = true;
    while !scanner.eat(b'}') {
        if !std::mem::take(&mut first) {
            scanner.expect(b',')?;
        }
        let key = match scanner.peek() {
            Some(b'"') => scanner.string()?,
            Some(b'{') => match scanner.value()? {
                super::scan::Token::Raw(object) => Cow::Borrowed(object),
                super::scan::Token::String(text) => text,
            },
            _ => Cow::Borrowed(scanner.scalar()?),
        };
        scanner.expect(b':')?;
        let value = parse_value(scanner, depth)?;
        // A null member leaves the default, which is what Java's setters amount to for every type used here.
        if !matches!(value, Node::Null) {
            members.push((key, value));
        }
    }
    Ok(Node::Object(members))
}

impl<'de> IntoDeserializer<'de, JsonError> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn visit_number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, JsonError> {
    if let Ok(value) = text.parse::<i64>() {
        return visitor.visit_i64(value);
    }
    if let Ok(value) = text.parse::<u64>() {
        return visitor.visit_u64(value);
    }
    match text.parse::<f64>() {
        // An integer written as 4.0; below 2^53 the conversion is exact.
        Ok(value) if value.fract() == 0.0 && value.abs() < 9.0e15 => visitor.visit_i64(value as i64),
        Ok(value) if is_number(text) => visitor.visit_f64(value),
        _ => Err(JsonError::Shape(format!("expected a number, found {text:?}"))),
    }
}

/// What a number is wanted from: a number, or its text in quotes.
macro_rules! deserialize_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            match self {
                Node::Text(text) => visit_number(&text, visitor),
                other => other.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Node<'de> {
    type Error = JsonError;

    deserialize_numbers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(value),
            Node::Number(text) => visit_number(text, visitor),
            Node::Text(text) => visitor.visit_string(text.into_owned()),
            Node::List(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            Node::Object(members) => {
                visitor.visit_map(MapDeserializer::new(members.into_iter().map(|(key, value)| (MapKey(key), value))))
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Node::Text(text) => visitor.visit_bool(text.eq_ignore_ascii_case("true")),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Node::Number(text) => visitor.visit_str(text),
            Node::Bool(value) => visitor.visit_str(if value { "true" } else { "false" }),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Node::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any i128 u128
    }
}

/// A map key: text that may stand for a number.
struct MapKey<'a>(Cow<'a, str>);

impl<'de> IntoDeserializer<'de, JsonError> for MapKey<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! deserialize_number_keys {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            visit_number(&self.0, visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for MapKey<'de> {
    type Error = JsonError;

    deserialize_number_keys!(deserialize_i32 deserialize_i64 deserialize_u32 deserialize_u64);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_str(&self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 u8 u16 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct enum
        identifier ignored_any i128 u128
    }
}
