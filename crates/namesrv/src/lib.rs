//! The name server
