//! The counting allocator, with itself as the allocator of this test program.

use libmimalloc_sys::{mi_free, mi_good_size, mi_malloc, mi_usable_size};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Barrier, Mutex};
use storage::memory::{self, CountingAllocator, good_size, used_memory};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Tests in one process share one total, so they take turns. What the test harness allocates beside is far below
/// the slack of the comparisons.
static TURN: Mutex<()> = Mutex::new(());
const SLACK: usize = 64 * 1024;

fn assert_close(used: usize, expected: usize) {
    assert!(used.abs_diff(expected) < SLACK, "{used} bytes used, {expected} expected");
}

fn sizes() -> impl Iterator<Item = usize> {
    let around_powers = (10..26).flat_map(|bits| (1usize << bits) - 9..(1 << bits) + 9);
    (0..5_000).chain((5_000..2_000_000).step_by(997)).chain(around_powers)
}

#[test]
fn good_size_is_the_allocators() {
    for size in sizes() {
        // SAFETY: plain arithmetic.
        assert_eq!(good_size(size), unsafe { mi_good_size(size) }, "{size}");
    }
}

#[test]
fn blocks_are_as_large_as_good_size_says() {
    for size in sizes().filter(|&size| size <= 512 * 1024) {
        // SAFETY: the block is freed once, after its last use.
        unsafe {
            let block = mi_malloc(size);
            assert_eq!(mi_usable_size(block), good_size(size), "{size}");
            mi_free(block);
        }
    }
}

#[test]
fn blocks_stay_in_the_class_of_their_size_through_realloc() {
    let _turn = TURN.lock();
    let steps = [8, 100, 112, 90, 60, 59, 1, 5_000, 4_000, 3_000, 60_000, 40_000, 24, 25, 24, 0x10000, 300];
    for align in [1, 8, 16, 64, 4096] {
        // SAFETY: every block is used within its size and freed with its layout.
        unsafe {
            let mut layout = Layout::from_size_align(steps[0], align).unwrap();
            let mut block = ALLOCATOR.alloc_zeroed(layout);
            *block = 77;
            for size in steps {
                block = ALLOCATOR.realloc(block, layout, size);
                layout = Layout::from_size_align(size, align).unwrap();
                assert_eq!((*block, block.addr() % align), (77, 0));
                assert!(align > 8 || mi_usable_size(block.cast()) == good_size(size), "{size}");
            }
            ALLOCATOR.dealloc(block, layout);
        }
    }
}

#[test]
fn the_total_follows_allocations_of_all_sizes() {
    let _turn = TURN.lock();
    let before = used_memory();
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(20_000);
    let mut expected = good_size(20_000 * size_of::<Vec<u8>>());
    for size in 1..20_000 {
        blocks.push(vec![1; size % 700 + 1]);
        expected += good_size(size % 700 + 1);
    }
    assert_close(used_memory() - before, expected);
    for block in &mut blocks {
        expected -= good_size(block.capacity());
        block.truncate(block.len() / 3 + 1);
        block.shrink_to_fit();
        expected += good_size(block.capacity());
    }
    assert_close(used_memory() - before, expected);
    drop(blocks);
    assert_close(used_memory(), before);
}

#[test]
fn nothing_is_lost_when_threads_end_or_outnumber_the_slots() {
    let _turn = TURN.lock();
    let before = used_memory();
    // More at a time than there are slots; every block is freed by another thread than made it.
    const THREADS: usize = 400;
    let all_there = Barrier::new(THREADS);
    let kept = Mutex::new(Vec::new());
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let work = || {
                    all_there.wait();
                    let block = vec![1u8; 100_000];
                    kept.lock().unwrap().push(block);
                };
                std::thread::Builder::new().stack_size(64 * 1024).spawn_scoped(scope, work).unwrap();
            }
        });
    }
    // One after the other, they reuse slots.
    for _ in 0..THREADS {
        std::thread::scope(|scope| scope.spawn(|| kept.lock().unwrap().push(vec![1; 100_000])).join().unwrap());
    }
    let count = 3 * THREADS;
    assert_close(used_memory() - before, count * good_size(100_000) + kept.lock().unwrap().capacity() * 24);
    drop(kept);
    assert_close(used_memory(), before);
}

#[test]
fn what_is_free_goes_back_to_the_system() {
    const BLOCK: usize = 1 << 20;
    let _turn = TURN.lock();
    memory::purge_only_when_told();
    let blocks: Vec<_> = (0..256).map(|_| vec![1u8; BLOCK]).collect();
    let held = memory::rss();
    // Whoever frees them has not made them, and whoever gives them back has done neither.
    std::thread::scope(|scope| scope.spawn(move || drop(blocks)).join().unwrap());
    std::thread::scope(|scope| scope.spawn(memory::purge).join().unwrap());
    let left = memory::rss();
    assert!(left + 200 * BLOCK < held, "{held} before, {left} after");
}

#[test]
fn the_system_and_the_allocator_tell_figures() {
    let _turn = TURN.lock();
    let block = vec![1u8; 32 << 20];
    let figures = memory::process_figures();
    assert!(memory::rss() >= block.len() && figures.peak_rss >= block.len(), "{} {figures:?}", memory::rss());
    assert!(figures.committed >= block.len() && figures.peak_committed >= figures.committed, "{figures:?}");
    drop(block);
    assert!(memory::allocator_name().starts_with("mimalloc-3."), "{}", memory::allocator_name());
    assert!(memory::stats_text().contains("committed"), "{}", memory::stats_text());
}
