//! Typed headers: the `extFields` of each request and response (`remoting/protocol/header/*.java`).
//!
//! Field names on the wire are exactly those of the Java classes. An absent optional field is `None`; an absent primitive has Java's
//! default. The fields every `RpcRequestHeader` inherits are apart, in [`RpcRequestHeader`], readable from and writable into any command.

mod client;
mod namesrv;
mod offset;
mod pull;
mod query;
mod send;
mod topic;

use std::borrow::Cow;

pub use client::*;
pub use namesrv::*;
pub use offset::*;
pub use pull::*;
pub use query::*;
pub use send::*;
pub use topic::*;

use crate::frame::{ExtFields, FrameWriter};

/// A header that can be read from ext fields.
pub trait Header<'a>: Sized {
    /// Reads the header in one pass over the fields; unknown fields are left alone.
    ///
    /// # Errors
    /// [`HeaderError`] when a required field is absent or a value cannot be read.
    fn decode(ext: &'a ExtFields<'_>) -> Result<Self, HeaderError>;
}

/// A header that can be written as ext fields.
pub trait EncodeHeader {
    /// Appends its fields, absent ones left out, in the order of Apache's class.
    fn encode(&self, writer: &mut FrameWriter<'_>);
}

/// Ext fields that do not make the header they should.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderError {
    /// A required field is absent.
    #[error("the custom field <{field}> of {header} is null")]
    Missing {
        /// The Java class.
        header: &'static str,
        /// The field on the wire.
        field: &'static str,
    },
    /// A field is not of its type.
    #[error("the custom field <{field}> of {header} is not readable: {value:?}")]
    Invalid {
        /// The Java class.
        header: &'static str,
        /// The field on the wire.
        field: &'static str,
        /// What it holds.
        value: String,
    },
}

/// The type of a header field: how it is read from text and written.
pub(crate) trait Field<'a>: Sized {
    /// The value of an absent field, `None` when it must be there.
    fn absent() -> Option<Self>;
    /// `None` when the text is not of this type.
    fn read(text: &'a str) -> Option<Self>;
    /// Appends the field.
    fn write(&self, key: &str, writer: &mut FrameWriter<'_>);
}

impl<'a> Field<'a> for Cow<'a, str> {
    fn absent() -> Option<Self> {
        None
    }

    #[inline]
    fn read(text: &'a str) -> Option<Self> {
        Some(Cow::Borrowed(text))
    }

    #[inline]
    fn write(&self, key: &str, writer: &mut FrameWriter<'_>) {
        writer.ext_str(key, self);
    }
}

impl Field<'_> for i32 {
    fn absent() -> Option<Self> {
        None
    }

    #[inline]
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    #[inline]
    fn write(&self, key: &str, writer: &mut FrameWriter<'_>) {
        writer.ext_i32(key, *self);
    }
}

impl Field<'_> for i64 {
    fn absent() -> Option<Self> {
        None
    }

    #[inline]
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    #[inline]
    fn write(&self, key: &str, writer: &mut FrameWriter<'_>) {
        writer.ext_i64(key, *self);
    }
}

impl Field<'_> for bool {
    fn absent() -> Option<Self> {
        None
    }

    /// `Boolean.parseBoolean`: anything but `true` is false.
    #[inline]
    fn read(text: &str) -> Option<Self> {
        Some(text.eq_ignore_ascii_case("true"))
    }

    #[inline]
    fn write(&self, key: &str, writer: &mut FrameWriter<'_>) {
        writer.ext_bool(key, *self);
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }

    #[inline]
    fn read(text: &'a str) -> Option<Self> {
        T::read(text).map(Some)
    }

    #[inline]
    fn write(&self, key: &str, writer: &mut FrameWriter<'_>) {
        if let Some(value) = self {
            value.write(key, writer);
        }
    }
}

/// Declares headers: per field its Rust name and type, `=` the name on the wire, and with `or` the value an absent field has.
/// A field without `or` that is not an `Option` is required.
macro_rules! headers {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(<$lt:lifetime>)? {
            $($(#[$field_meta:meta])* $field:ident: $ty:ty = $key:literal $(or $default:expr)?,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $(<$lt>)? {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl<'a> $crate::header::Header<'a> for $name $(<$lt>)? {
            fn decode(ext: &'a $crate::ExtFields<'_>) -> Result<Self, $crate::HeaderError> {
                $(let mut $field: Option<$ty> = None;)*
                for (key, value) in ext.iter() {
                    match key {
                        $($key => {
                            $field = Some($crate::header::Field::read(value).ok_or_else(|| $crate::HeaderError::Invalid {
                                header: stringify!($name),
                                field: $key,
                                value: value.to_owned(),
                            })?);
                        })*
                        _ => {}
                    }
                }
                Ok(Self {$(
                    $field: $field
                        $(.or(Some($default)))?
                        .or_else($crate::header::Field::absent)
                        .ok_or($crate::HeaderError::Missing { header: stringify!($name), field: $key })?,
                )*})
            }
        }

        impl $(<$lt>)? $crate::header::EncodeHeader for $name $(<$lt>)? {
            fn encode(&self, writer: &mut $crate::FrameWriter<'_>) {
                $($crate::header::Field::write(&self.$field, $key, writer);)*
            }
        }
    )*};
}
pub(crate) use headers;

headers! {
    /// What every `RpcRequestHeader` and `TopicRequestHeader` inherits. Sent only when set; a broker needs none of it.
    pub struct RpcRequestHeader<'a> {
        /// Logical queue.
        logical: Option<bool> = "lo",
        /// Namespace.
        namespace: Option<Cow<'a, str>> = "ns",
        /// Whether names are namespaced.
        namespaced: Option<bool> = "nsd",
        /// The broker the request is for, by name.
        broker_name: Option<Cow<'a, str>> = "bname",
        /// Oneway.
        oneway: Option<bool> = "oway",
    }
}
