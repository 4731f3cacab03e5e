//! How elements of collections are hashed: with a seed that is drawn once per process.

use std::sync::LazyLock;

use ahash::RandomState;

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    HASHER.hash_one(bytes)
}
