//! Bytes to values and back, no I/O: frames, headers, bodies, message records, ids, compression
