//! For tests only: golden files, crash child, workloads
