//! A word to the processor on what will be needed soon.

/// What it brings in at once.
const CACHE_LINE_BYTES: usize = 64;

/// Tells the processor, where it can be told, that the line with this address will be used soon. Any address will do: nothing
/// is read, and one that is not mapped is ignored.
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that neither reads nor faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The same for `len` bytes from this address.
pub fn prefetch_bytes(start: *const u8, len: usize) {
    (0..len).step_by(CACHE_LINE_BYTES).for_each(|line| prefetch(start.wrapping_add(line)));
}
