//! The broker: one file per request family under processor, one per long-lived duty under service
