//! A number that threads wait on until it changes: a futex where there is one.

use std::time::Duration;

#[cfg(target_os = "linux")]
pub(crate) use futex::WaitWord;

#[cfg(not(target_os = "linux"))]
pub(crate) use portable::WaitWord;

#[cfg(target_os = "linux")]
mod futex {
    use std::ptr;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Duration;

    /// Who wakes takes no lock, so a hundred threads that are woken at once do not queue up for one.
    #[derive(Debug, Default)]
    pub(crate) struct WaitWord(AtomicU32);

    impl WaitWord {
        pub(crate) fn value(&self) -> u32 {
            self.0.load(Ordering::Acquire)
        }

        /// Changes the value and wakes all who wait.
        pub(crate) fn change_and_wake_all(&self) {
            self.0.fetch_add(1, Ordering::Release);
            let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the word lives as long as `self`; waking reads no memory but its address.
            unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), operation, i32::MAX) };
        }

        /// Sleeps while the value is `seen`, at most `limit`; may also return for no reason.
        pub(crate) fn wait_while(&self, seen: u32, limit: Option<Duration>) {
            let limit = limit.map(|limit| libc::timespec {
                tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: limit.subsec_nanos().into(),
            });
            let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
            let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the word lives as long as `self`, the time as long as the call. Whatever the call returns, the caller
            // looks at the value again.
            unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), operation, seen, limit) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use parking_lot::{Condvar, Mutex};

    use super::Duration;

    /// By a condition variable.
    #[derive(Debug, Default)]
    pub(crate) struct WaitWord {
        value: Mutex<u32>,
        changed: Condvar,
    }

    impl WaitWord {
        pub(crate) fn value(&self) -> u32 {
            *self.value.lock()
        }

        /// Changes the value and wakes all who wait.
        pub(crate) fn change_and_wake_all(&self) {
            let mut value = self.value.lock();
            *value = value.wrapping_add(1);
            drop(value);
            self.changed.notify_all();
        }

        /// Sleeps while the value is `seen`, at most `limit`; may also return for no reason.
        pub(crate) fn wait_while(&self, seen: u32, limit: Option<Duration>) {
            let mut value = self.value.lock();
            if *value == seen {
                match limit {
                    Some(limit) => drop(self.changed.wait_for(&mut value, limit)),
                    None => self.changed.wait(&mut value),
                }
            }
        }
    }
}
