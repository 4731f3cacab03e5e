//! Random sequences that can be replayed: a failing test prints its seed, `SPINEL_TEST_SEED=<seed>` replays it.

use rand::SeedableRng;
use rand::rngs::SmallRng;

/// Prints itself when its test fails.
pub struct Seed(u64);

impl Seed {
    /// The seed to replay, or a fresh one.
    pub fn pick() -> Seed {
        let given = std::env::var("SPINEL_TEST_SEED").ok().and_then(|text| text.parse().ok());
        Seed(given.unwrap_or_else(rand::random))
    }

    pub fn rng(&self) -> SmallRng {
        SmallRng::seed_from_u64(self.0)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with SPINEL_TEST_SEED={}", self.0);
        }
    }
}
