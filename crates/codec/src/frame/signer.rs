//! Signatures of requests, ACL 1.0 and 2.0 alike (`acl/common/AclClientRPCHook.java`, `AclUtils.java`, `AclSigner.java`).
//!
//! ```text
//! content    the values of all ext fields but Signature, in the order of their names, then the body; nothing between them
//! Signature  base64(HMAC-SHA1(secret key, content))
//! ```
//! A broker makes the content again from the ext fields it has read, so what is signed here are the fields of the finished
//! frame as `RemotingCommand.java#decode` will see them: an empty value of a binary header is null there, and
//! `StringBuilder#append` makes the text `null` of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::{Command, SerializeType};
use crate::bytes::Reader;

const ACCESS_KEY: &str = "AccessKey";
const SECURITY_TOKEN: &str = "SecurityToken";
const SIGNATURE: &str = "Signature";

/// Base64 of the 20 bytes of an HMAC-SHA1.
const SIGNATURE_BYTES: usize = 28;

/// Signs the frames of one user (`acl/common/SessionCredentials.java`). Its `Debug` form shows no secret.
#[derive(Clone)]
pub struct Signer {
    access_key: String,
    security_token: Option<String>,
    /// Keyed already: a signature begins with a copy.
    mac: Hmac<Sha1>,
}

impl Signer {
    /// A signer for the user called `access_key`.
    pub fn new(access_key: &str, secret_key: &str, security_token: Option<&str>) -> Self {
        // Keys of every length are possible: long ones are hashed first.
        let mac = <Hmac<Sha1> as Mac>::new_from_slice(secret_key.as_bytes());
        Self {
            access_key: access_key.to_owned(),
            security_token: security_token.map(str::to_owned),
            mac: mac.unwrap_or_else(|_| unreachable!("an HMAC takes keys of every length")),
        }
    }

    /// Has `field` write the fields that a signed frame has; returns how long the signature is, which is the last of them and is to
    /// be overwritten. They come first in a frame: so written, the one-letter fields of a send are in order already.
    pub(super) fn write_fields(&self, mut field: impl FnMut(&str, &str)) -> usize {
        field(ACCESS_KEY, &self.access_key);
        if let Some(token) = &self.security_token {
            field(SECURITY_TOKEN, token);
        }
        // A `=` needs no escape in JSON, nor does anything of base64.
        field(SIGNATURE, "============================");
        SIGNATURE_BYTES
    }

    /// The signature of a binary frame, given its block of ext fields and its body.
    pub(super) fn sign_binary(&self, block: &[u8], body: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut mac = self.mac.clone();
        let mut last: &[u8] = &[];
        for (name, value) in fields(block) {
            if name < last {
                return self.sign_unordered(fields(block).collect(), body);
            }
            last = name;
            update(&mut mac, name, value);
        }
        finish(mac, body)
    }

    /// The signature of a whole frame with a JSON header.
    pub(super) fn sign_json(&self, frame: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let Ok(command) = Command::decode(frame) else { unreachable!("a frame just written can be read") };
        debug_assert_eq!(command.serialize_type, SerializeType::Json);
        let fields = command.ext.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        self.sign_unordered(fields, command.body)
    }

    /// The order is that of the bytes, Java's that of UTF-16 units; names of header fields are ASCII.
    fn sign_unordered(&self, mut fields: Vec<(&[u8], &[u8])>, body: &[u8]) -> [u8; SIGNATURE_BYTES] {
        fields.sort_unstable_by_key(|(name, _)| *name);
        let mut mac = self.mac.clone();
        for (name, value) in fields {
            update(&mut mac, name, value);
        }
        finish(mac, body)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Names and values of a block of binary ext fields, empty values as the text that Java makes of null.
fn fields(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut reader = Reader::new(block);
    std::iter::from_fn(move || {
        let name = reader.i16_prefixed()?;
        let value = reader.i32_prefixed()?;
        Some((name, if value.is_empty() { b"null" } else { value }))
    })
}

fn update(mac: &mut Hmac<Sha1>, name: &[u8], value: &[u8]) {
    if name != SIGNATURE.as_bytes() {
        mac.update(value);
    }
}

fn finish(mut mac: Hmac<Sha1>, body: &[u8]) -> [u8; SIGNATURE_BYTES] {
    mac.update(body);
    let mut signature = [0; SIGNATURE_BYTES];
    // Cannot fail: 20 bytes make 28.
    let written = STANDARD.encode_slice(mac.finalize().into_bytes(), &mut signature);
    debug_assert_eq!(written, Ok(SIGNATURE_BYTES));
    signature
}
