//! What the outside world provides: time ([`Clock`]) and files ([`Fs`]), each with the real one and one for tests.
//!
//! Every timer, delay, expiry and retention decision of the workspace reads a [`Clock`], and every file goes through an
//! [`Fs`]. So tests drive hours in milliseconds ([`VirtualClock`]) and pull the plug between any two system calls
//! ([`FaultFs`]).

mod clock;
mod fault_fs;
mod file_pool;
mod fs;
mod latch;
mod os_fs;
mod os_linux;
mod os_lock;
mod overlay_fs;
mod parker;
mod prefetch;
mod system_clock;
mod timers;
mod virtual_clock;
mod wait_word;

pub use clock::{Clock, Sleep, sleep};
pub use fault_fs::{Fault, FaultFs, Operation};
pub use file_pool::FilePool;
pub use fs::{DirEntry, DiskSpace, File, Fs, Map, Metadata, OpenMode, WriteMap};
pub use latch::Latch;
pub use os_fs::OsFs;
pub use overlay_fs::OverlayFs;
pub use parker::{Parker, Unparker};
pub use prefetch::{prefetch, prefetch_bytes};
pub use system_clock::SystemClock;
pub use timers::TimerId;
pub use virtual_clock::VirtualClock;
