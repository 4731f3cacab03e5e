//! Ends the process in each way that a bug could, to see what is left behind.

use crate::command::CommandResult;
use crate::log;
use crate::server::unix_ms;

/// DEBUG SEGFAULT.
pub(super) fn segfault() -> CommandResult {
    const PAGE: usize = 4096;
    // SAFETY: the page is this function's own. Writing to it, which is not allowed, is the point: the kernel stops the
    // process there.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(std::ptr::null_mut(), PAGE, libc::PROT_READ, flags, -1, 0);
        page.cast::<u8>().write_volatile(1);
    }
    std::process::abort()
}

/// DEBUG PANIC.
pub(super) fn panic() -> CommandResult {
    log::warning!("!!! Software failure: panic called at Unix time {}", unix_ms() / 1000);
    std::process::abort()
}

/// DEBUG ASSERT.
pub(super) fn assert() -> CommandResult {
    log::warning!("=== ASSERTION FAILED ===");
    log::warning!("==> {}:{} '1 == 2' is not true", file!(), line!());
    std::process::abort()
}

/// DEBUG OOM.
pub(super) fn out_of_memory() -> CommandResult {
    const MUCH: usize = isize::MAX as usize / 2;
    log::warning!("Out of memory allocating {MUCH} bytes!");
    std::alloc::handle_alloc_error(std::alloc::Layout::array::<u8>(MUCH).unwrap_or(std::alloc::Layout::new::<u8>()))
}
