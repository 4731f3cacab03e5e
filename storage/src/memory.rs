//! The allocator of the process, and what it knows about memory.

use libmimalloc_sys as mi;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_long, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};

/// The alignment that every block has, whatever mimalloc was compiled with.
const BLOCK_ALIGNMENT: usize = 8;

/// The largest request that mimalloc serves from a size class; above it come whole pages of the operating system.
const LARGEST_CLASS: usize = 512 * 1024;
const OS_PAGE: usize = 4096;

/// The bytes that a request of `size` bytes takes: the allocator's size class for it.
///
/// Up to eight words there is a class for each number of words, then there are four classes for each power of two.
#[inline(always)]
pub const fn good_size(size: usize) -> usize {
    const WORD: usize = size_of::<usize>();
    if size <= 8 * WORD {
        let size = if size == 0 { 1 } else { size };
        return (size + WORD - 1) & !(WORD - 1);
    }
    if size > LARGEST_CLASS {
        return size.saturating_add(OS_PAGE - 1) & !(OS_PAGE - 1);
    }
    let words_below = (size - 1) / WORD;
    let step = words_below.ilog2() - 2;
    (((words_below >> step) + 1) << step) * WORD
}

/// mimalloc, with a running total of the bytes that are taken.
///
/// A block is counted as the size class of its layout. For that to be the truth, a block never stays in a larger class
/// than its layout's: `realloc` moves it down too.
pub struct CountingAllocator;

// SAFETY: every block comes from mimalloc, by its aligned entry point where the layout asks for more than any block
// has, and mimalloc keeps the rest of the contract. The counting allocates nothing and does not panic.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: both functions accept any size and any power of two.
        let block = unsafe {
            if layout.align() <= BLOCK_ALIGNMENT {
                mi::mi_malloc(layout.size())
            } else {
                mi::mi_malloc_aligned(layout.size(), layout.align())
            }
        };
        counted(block.cast(), layout)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe {
            if layout.align() <= BLOCK_ALIGNMENT {
                mi::mi_zalloc(layout.size())
            } else {
                mi::mi_zalloc_aligned(layout.size(), layout.align())
            }
        };
        counted(block.cast(), layout)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(block_size(layout) as isize));
        // SAFETY: the caller hands back a block of this allocator.
        unsafe { mi::mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller vouches that this size is good with the alignment of the layout.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let (old, new) = (block_size(layout), block_size(new_layout));
        if old == new {
            return block;
        }
        if new > old && layout.align() <= BLOCK_ALIGNMENT {
            // SAFETY: the caller hands in a block of this allocator.
            let moved = unsafe { mi::mi_realloc(block.cast(), new_size) };
            if !moved.is_null() {
                count(new as isize - old as isize);
            }
            return moved.cast();
        }
        // mimalloc's own would leave a block that shrinks by less than half where it is.
        // SAFETY: a new block and the caller's old one are two, each as long as the smaller size.
        unsafe {
            let moved = self.alloc(new_layout);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// What a block of this layout counts as.
#[inline(always)]
fn block_size(layout: Layout) -> usize {
    good_size(layout.size())
}

#[inline(always)]
fn counted(block: *mut u8, layout: Layout) -> *mut u8 {
    if !block.is_null() {
        count(block_size(layout) as isize);
    }
    block
}

/// One thread's part of the total. On cache lines of its own (processors fetch them in pairs).
#[repr(align(128))]
struct Slot {
    bytes: AtomicIsize,
    taken: AtomicBool,
}

impl Slot {
    const fn new() -> Self {
        Slot { bytes: AtomicIsize::new(0), taken: AtomicBool::new(false) }
    }
}

/// More threads than this at a time share one slot.
const OWN_SLOTS: usize = 256;

/// A slot keeps its bytes when its thread ends; the next owner goes on from there. A single one may well be negative,
/// as blocks are freed by other threads than have made them.
static SLOTS: [Slot; OWN_SLOTS] = [const { Slot::new() }; OWN_SLOTS];
static SHARED: Slot = Slot::new();

/// How many slots were ever taken: only these are looked at.
static USED_SLOTS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The slot that this thread alone writes to.
    static OWN: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    /// Whether the thread may still take a slot; only its first allocation does.
    static FRESH: Cell<bool> = const { Cell::new(true) };
    static RELEASE: Release = const { Release };
}

/// Gives the thread's slot to others when the thread ends.
struct Release;

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(slot) = OWN.take() {
            slot.taken.store(false, Ordering::Release);
        }
    }
}

#[inline(always)]
fn count(bytes: isize) {
    match OWN.get() {
        // No other thread writes to this slot, so the two halves need not be one.
        Some(slot) => slot.bytes.store(slot.bytes.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed),
        None => count_without_slot(bytes),
    }
}

#[cold]
#[inline(never)]
fn count_without_slot(bytes: isize) {
    // A thread that ends frees blocks after its slot has gone: it must not take another one, which nobody would release.
    if FRESH.replace(false) && RELEASE.try_with(|_| ()).is_ok() {
        let free = SLOTS.iter().enumerate().find(|(_, slot)| {
            !slot.taken.load(Ordering::Relaxed)
                && slot.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        });
        if let Some((index, slot)) = free {
            USED_SLOTS.fetch_max(index + 1, Ordering::Relaxed);
            OWN.set(Some(slot));
            return count(bytes);
        }
    }
    SHARED.bytes.fetch_add(bytes, Ordering::Relaxed);
}

/// The bytes that are taken from [`CountingAllocator`] now, sizes rounded up to what the allocator gives for them.
pub fn used_memory() -> usize {
    let sum = |sum: isize, slot: &Slot| sum.wrapping_add(slot.bytes.load(Ordering::Relaxed));
    // While others allocate and free, the sum may catch a free without its allocation.
    let slots = SLOTS.iter().take(USED_SLOTS.load(Ordering::Relaxed));
    slots.chain([&SHARED]).fold(0, sum).max(0) as usize
}

/// What this thread has taken and not given back, by itself: negative where it frees what others have made. Costs no
/// more than a load. `None` if the thread has no count of its own.
#[inline]
pub fn own_memory() -> Option<isize> {
    OWN.get().map(|slot| slot.bytes.load(Ordering::Relaxed))
}

/// The bytes of the process that are in physical memory; 0 where the system does not tell.
pub fn rss() -> usize {
    process_status("VmRSS:")
}

/// Those of them that are no part of a file: what the allocator uses, and stacks.
pub fn anonymous_rss() -> usize {
    process_status("RssAnon:")
}

/// A figure in bytes that the system gives in kilobytes; 0 where it gives none.
fn process_status(name: &str) -> usize {
    // `statm` would be quicker to read, but counts in pages, whose size it does not tell.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|number| number.parse::<usize>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}

/// Leaves it to [`purge`] to give free memory back to the system. mimalloc would have whoever needs memory next do it, for
/// a gigabyte at a time.
pub fn purge_only_when_told() {
    /// The number of mimalloc's option `purge_delay`.
    const PURGE_DELAY: mi::mi_option_t = 15;
    const NEVER_DUE_MS: c_long = i32::MAX as c_long;
    // SAFETY: may be called at any time.
    unsafe { mi::mi_option_set_default(PURGE_DELAY, NEVER_DUE_MS) }
}

/// Gives free memory back to the system, apart from what other threads keep for themselves.
pub fn purge() {
    // SAFETY: may be called at any time, and the block is freed once.
    unsafe {
        // A thread that has never allocated collects nothing.
        mi::mi_free(mi::mi_malloc(1));
        mi::mi_collect(true);
    }
}

/// The allocator's name and version, as `mimalloc-3.3.2`.
pub fn allocator_name() -> String {
    // SAFETY: returns a constant.
    let version = unsafe { mi::mi_version() };
    format!("mimalloc-{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}

/// The allocator's own report, for people to read.
pub fn stats_text() -> String {
    unsafe extern "C" fn append(text: *const c_char, report: *mut c_void) {
        // SAFETY: mimalloc passes a C string, and the pointer that it was given below.
        unsafe { (*report.cast::<Vec<u8>>()).extend_from_slice(CStr::from_ptr(text).to_bytes()) }
    }
    let mut report: Vec<u8> = Vec::new();
    // SAFETY: `append` is called during this call only, with the pointer to `report`.
    unsafe { mi::mi_stats_print_out(Some(append), (&raw mut report).cast()) };
    String::from_utf8_lossy(&report).into_owned()
}

/// What the allocator has from the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Bytes committed now.
    pub committed: usize,
    /// The most bytes ever committed at a time.
    pub peak_committed: usize,
    /// The most bytes of the process that were ever in physical memory.
    pub peak_rss: usize,
    /// Page faults that went to the disk.
    pub page_faults: usize,
}

/// What the allocator has from the system now.
pub fn process_figures() -> ProcessFigures {
    let mut figures = ProcessFigures::default();
    let ProcessFigures { committed, peak_committed, peak_rss, page_faults } = &mut figures;
    let unasked = ptr::null_mut;
    // SAFETY: each pointer is null or to a number that outlives the call.
    unsafe {
        mi::mi_process_info(
            unasked(),
            unasked(),
            unasked(),
            unasked(),
            peak_rss,
            committed,
            peak_committed,
            page_faults,
        );
    }
    figures
}
