//! Segmented append-only files that know nothing of messages
