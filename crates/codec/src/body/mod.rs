//! JSON bodies (`remoting/protocol/body`, `heartbeat`, `route`, `subscription`).
//!
//! Structs declare their members in alphabetical order of the JSON names, so that they come out as Apache writes them. Reading
//! ignores unknown members and gives absent ones Java's default, except that where Java takes the time of the moment it is 0 here.

mod assignment;
mod client;
mod cluster;
mod group;
mod queue;
mod register;
mod topic;

pub use assignment::*;
pub use client::*;
pub use cluster::*;
pub use group::*;
pub use queue::*;
pub use register::*;
pub use topic::*;

use serde::{Deserialize, Deserializer};

/// An enum that travels by the name of its constant.
pub(crate) trait JavaEnum: Sized {
    /// The constant of that name.
    fn from_name(name: &str) -> Option<Self>;
}

/// Reads an enum member; an unknown name is null, as fastjson has it.
pub(crate) fn known_or_null<'de, D: Deserializer<'de>, T: JavaEnum>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|name| T::from_name(&name)))
}

macro_rules! java_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// The name of the Java constant.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl $crate::body::JavaEnum for $name {
            fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use java_enum;
