//! Where it is written down what makes changes anew.
//!
//! What a command writes down is the server's business. What time and want of memory do is not asked for by any command,
//! so it is the views that tell of it, in its place among what commands write. A view also says when something is
//! complete that happened at one instant: at the latest when it lets go of its locks, which it does only behind that.

/// Something that nobody has asked for.
#[derive(Clone, Copy)]
pub enum Lapse<'a> {
    Expired,
    Evicted,
    /// Fields of a hash have expired.
    Fields(&'a [Box<[u8]>]),
}

/// Who writes down. What comes from one thread belongs together until it is said to be complete.
pub trait Journal: Send + Sync {
    /// Whether anything is written down at all.
    fn is_on(&self) -> bool;

    /// A key, or something in it, has gone.
    fn lapsed(&self, db: usize, key: &[u8], lapse: Lapse<'_>);

    /// What this thread has told of and written since the last time happened at one instant, which is over. Its shards are
    /// still locked.
    fn complete(&self);
}
