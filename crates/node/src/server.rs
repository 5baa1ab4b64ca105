//! Name server and broker in this process.
