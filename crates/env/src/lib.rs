//! What the outside world provides: files and time, real ones and ones for tests
