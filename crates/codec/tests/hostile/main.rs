//! Bytes from strangers: cut, flipped, glued together, with lengths that lie.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod frames;
mod parts;
mod records;
