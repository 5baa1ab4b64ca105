//! The message store: commit log, consume queues, offsets by time, configuration files
