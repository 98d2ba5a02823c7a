//! How the C library's allocator keeps what was freed: by default in up to eight heaps a processor, of which each thread that
//! was busy once leaves one behind. A collector that batches in several threads then holds twice what it uses.

#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(
        unsafe_code,
        reason = "the allocator's settings have no wrapper in Rust; they stand in this module"
    )
)]

/// Has the process keep little of what it has freed. For the beginning of `main`, before there are threads.
///
/// Measured with a debug build on two processors, senders of ever new models and names, 800 bodies of 300 events: 354 MiB with
/// the usual settings and still rising, 174 MiB with these, at the same number of bodies a second.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_little() {
    /// Freed blocks from here on go back to the system at once, as batches and bodies are. The usual limit grows with the
    /// largest block ever freed.
    const LARGE_BYTES: i32 = 1 << 20;
    /// What may lie free at the end of a heap.
    const TRIM_BYTES: i32 = 4 << 20;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let heaps = i32::try_from(processors.max(2)).unwrap_or(i32::MAX);
    let settings = [
        (libc::M_ARENA_MAX, heaps),
        (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
        (libc::M_TRIM_THRESHOLD, TRIM_BYTES),
    ];
    for (name, value) in settings {
        // SAFETY: mallopt only writes a setting of the allocator, under its own lock, and refuses what it does not know.
        if unsafe { libc::mallopt(name, value) } == 0 {
            tracing::debug!(name, value, "the allocator does not take a setting");
        }
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_little() {}
