//! The N-API addon: conversion between JavaScript and the crates below, no decisions.

mod channels;
mod codec;
mod completions;
mod failure;
mod reader;
mod recovery;
mod server;
mod store;
mod store_inspect;
mod store_put;
mod store_topics;
mod submission;
