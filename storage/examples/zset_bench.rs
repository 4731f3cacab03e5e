//! Nanoseconds for what a big sorted set does: `cargo run --profile quick -p spinel-storage --example zset_bench [members]`.

use std::hint::black_box;
use std::time::Instant;

use storage::zset::Zset;
use storage::{Collection, PackLimits};

#[global_allocator]
static ALLOCATOR: storage::memory::CountingAllocator = storage::memory::CountingAllocator;

const LIMITS: PackLimits = PackLimits { entries: 128, value: 64 };

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((u128::from(self.0 ^ self.0 >> 32) * u128::from(limit)) >> 64) as u64
    }
}

fn time(what: &str, count: u64, mut each: impl FnMut()) {
    let start = Instant::now();
    (0..count).for_each(|_| each());
    println!("{what}: {:.0} ns", start.elapsed().as_nanos() as f64 / count as f64);
}

fn main() {
    let members: u64 = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let mut random = Random(42);
    let name = |number: u64| format!("element:{number:012}").into_bytes();
    let mut zset = Zset::new();
    let mut number = 0;
    time("add new", members, || {
        zset.set(&name(number * 7919 % members), random.below(members) as f64, LIMITS);
        number += 1;
    });
    println!("{:.1} bytes a member", zset.memory() as f64 / zset.as_ref().len() as f64);
    let count = 1_000_000;
    time("change a score", count, || {
        zset.set(&name(random.below(members)), random.below(members) as f64, LIMITS);
    });
    time("score", count, || {
        black_box(zset.as_ref().score(&name(random.below(members))));
    });
    time("rank", count, || {
        black_box(zset.as_ref().rank(&name(random.below(members))));
    });
    time("range of one by rank", count, || {
        black_box(zset.as_ref().iter_from(random.below(members) as usize).next());
    });
    time("range of 100 by rank", count / 10, || {
        let rank = random.below(members) as usize;
        black_box(zset.as_ref().iter_from(rank).take(100).map(|(member, _)| member.text_len()).sum::<usize>());
    });
    time("range of 100 back from a rank", count / 10, || {
        let rank = random.below(members) as usize;
        black_box(zset.as_ref().iter_back_from(rank).take(100).map(|(member, _)| member.text_len()).sum::<usize>());
    });
    time("count by score", count, || {
        let bound = random.below(members) as f64;
        black_box(zset.as_ref().partition_point(|score, _| score < bound));
    });
    time("all in order", 1, || {
        black_box(zset.as_ref().iter().fold(0.0, |sum, (_, score)| sum + score));
    });
    time("remove and add", count, || {
        let member = name(random.below(members));
        zset.remove(&member);
        zset.set(&member, random.below(members) as f64, LIMITS);
    });
    println!("{:.1} bytes a member", zset.memory() as f64 / zset.as_ref().len() as f64);
    time("copy", 1, || {
        black_box(zset.clone());
    });
    time("remove half by rank", 1, || zset.remove_range(members as usize / 4, members as usize / 2));
    println!("{:.1} bytes a member", zset.memory() as f64 / zset.as_ref().len() as f64);
    time("remove the rest one by one", 1, || {
        (0..members).for_each(|number| {
            zset.remove(&name(number));
        });
    });

    time("add in order", members, || {
        let number = zset.as_ref().len() as u64;
        zset.set(&name(number), number as f64, LIMITS);
    });
    println!("{:.1} bytes a member", zset.memory() as f64 / zset.as_ref().len() as f64);
    time("from sorted", 1, || {
        let elements: Vec<_> = zset.as_ref().iter().collect();
        black_box(Zset::from_sorted(elements.into_iter(), LIMITS).map(|zset| zset.memory()));
    });

    let mut zset = Zset::new();
    let mut number = 0;
    time("add new of one score", members, || {
        zset.set(&name(number * 7919 % members), 0.0, LIMITS);
        number += 1;
    });
    time("find a name", count, || {
        let bound = name(random.below(members));
        black_box(zset.as_ref().partition_point(|_, member| member < &bound[..]));
    });

    let mut zset = Zset::new();
    (0..129).for_each(|number| {
        zset.set(format!("player:{number}").as_bytes(), random.below(members) as f64, LIMITS);
    });
    println!("129 players: {} bytes", zset.memory());
    let mut zset = Zset::new();
    (0..members).for_each(|number| {
        zset.set(format!("player:{number}").as_bytes(), (number * 7919 % 1_000_003) as f64, LIMITS);
    });
    println!("players: {:.1} bytes each", zset.memory() as f64 / members as f64);
}
