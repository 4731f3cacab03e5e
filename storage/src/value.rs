//! Types of values, and what the keyspace asks of a collection.
//!
//! A collection has two forms. Small ones are *packed*: one run of bytes, which lies inside the keyspace entry behind
//! the key. Others are *boxed*: a structure of their own. The structure's module knows both and when to turn the one
//! into the other; the keyspace only carries them.

use crate::entry::{NewValue, StrRef};

/// The types of values, as TYPE tells them. The numbers are Redis's, where 5 is a module's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Type {
    Str = 0,
    List = 1,
    Set = 2,
    Zset = 3,
    Hash = 4,
    Stream = 6,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Type::Str => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::Zset => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
        }
    }
}

/// The key holds another type of value than the command is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongType;

/// Up to where a collection is packed.
#[derive(Clone, Copy, Debug)]
pub struct PackLimits {
    /// Elements (fields, members).
    pub entries: usize,
    /// Bytes of each.
    pub value: usize,
}

/// What every type of collection offers to the keyspace.
pub trait Collection: Sized + Clone + Send + 'static {
    /// What reading commands get, borrowed from the entry.
    type Ref<'a>: Copy;

    const TYPE: Type;
    /// Whether a key goes when its collection becomes empty.
    const REMOVED_WHEN_EMPTY: bool = true;

    /// An empty one, in its smallest form. Allocates nothing, unless the type is always boxed.
    fn new() -> Self;

    fn is_empty(&self) -> bool;

    /// The packed form, with a number that tells apart the packed forms of a type; `None` if it needs a box.
    fn packed(&self) -> Option<(u8, &[u8])>;

    /// Whether bytes that come from outside are a packed collection of that form, not empty, through and through.
    fn validate(form: u8, bytes: &[u8]) -> bool;

    /// The inverse of [`Collection::packed`]: the bytes come from there or were found good by [`Collection::validate`].
    fn from_packed(form: u8, bytes: Vec<u8>) -> Self;

    /// The packed form's buffer, to be used again; an empty one if not packed.
    fn into_buffer(self) -> Vec<u8>;

    fn as_ref(&self) -> Self::Ref<'_>;

    fn packed_ref(form: u8, bytes: &[u8]) -> Self::Ref<'_>;

    /// Bytes behind `self`, as the allocator rounds them.
    fn memory(&self) -> usize;

    /// About how many allocations freeing takes.
    fn free_effort(&self) -> usize;

    /// Starts to load what a look at these members will read. A hint.
    fn prefetch(&self, _members: &[&[u8]]) {}

    /// The earliest time at which something inside expires, in Unix milliseconds.
    fn next_expiry(&self) -> Option<i64> {
        None
    }

    /// Removes elements that have expired by `now_ms`, about `most` at a time, and hides the others from everybody but
    /// [`Collection::is_empty`] and [`Collection::next_expiry`]. Calls `each` with the name of every one that it removes,
    /// and returns how many these were.
    fn expire(&mut self, _now_ms: i64, _most: usize, _each: impl FnMut(&[u8])) -> usize {
        0
    }
}

/// A collection that the keyspace knows: one of the list below.
pub trait Stored: Collection {
    fn from_boxed(boxed: &Boxed) -> Option<&Self>;
    fn from_boxed_mut(boxed: &mut Boxed) -> Option<&mut Self>;
    fn into_boxed(self) -> Boxed;
}

macro_rules! collections {
    ($($kind:ident in $module:ident),* $(,)?) => {
        $(use crate::$module::$kind;)*

        /// A collection in a box of its own.
        #[derive(Clone)]
        pub enum Boxed {
            $($kind($kind),)*
        }

        /// A value as it lies, borrowed.
        #[derive(Clone, Copy)]
        pub enum Value<'a> {
            Str(StrRef<'a>),
            $($kind(<$kind as Collection>::Ref<'a>),)*
        }

        impl Boxed {
            pub(crate) fn as_ref(&self) -> Value<'_> {
                match self { $(Boxed::$kind(value) => Value::$kind(Collection::as_ref(value)),)* }
            }

            /// Passes the collection on as it is best stored.
            pub(crate) fn with_new_value<R>(self, put: impl FnOnce(NewValue<'_>) -> R) -> R {
                match self { $(Boxed::$kind(value) => NewValue::with_collection(value, put).0,)* }
            }

            pub(crate) fn memory(&self) -> usize {
                match self { $(Boxed::$kind(value) => Collection::memory(value),)* }
            }

            pub(crate) fn prefetch(&self, members: &[&[u8]]) {
                match self { $(Boxed::$kind(value) => Collection::prefetch(value, members),)* }
            }

            pub(crate) fn free_effort(&self) -> usize {
                match self { $(Boxed::$kind(value) => Collection::free_effort(value),)* }
            }

            pub(crate) fn next_expiry(&self) -> Option<i64> {
                match self { $(Boxed::$kind(value) => Collection::next_expiry(value),)* }
            }

            pub(crate) fn expire(&mut self, now_ms: i64, most: usize, each: impl FnMut(&[u8])) -> usize {
                match self { $(Boxed::$kind(value) => Collection::expire(value, now_ms, most, each),)* }
            }

            pub(crate) fn is_spent(&self) -> bool {
                match self {
                    $(Boxed::$kind(value) => <$kind as Collection>::REMOVED_WHEN_EMPTY && Collection::is_empty(value),)*
                }
            }
        }

        impl<'a> Value<'a> {
            /// A packed value of a type and form.
            pub(crate) fn packed(kind: u8, form: u8, bytes: &'a [u8]) -> Value<'a> {
                $(if kind == <$kind as Collection>::TYPE as u8 {
                    return Value::$kind(<$kind as Collection>::packed_ref(form, bytes));
                })*
                unreachable!("type {kind} was never packed, nor was form {form} of {} bytes", bytes.len())
            }

            /// The encoding's name as OBJECT ENCODING tells it.
            pub(crate) fn encoding(self) -> &'static str {
                match self {
                    Value::Str(_) => "raw",
                    $(Value::$kind(value) => value.encoding(),)*
                }
            }

            pub fn kind(self) -> Type {
                match self {
                    Value::Str(_) => Type::Str,
                    $(Value::$kind(_) => <$kind as Collection>::TYPE,)*
                }
            }
        }

        $(impl Stored for $kind {
            fn from_boxed(boxed: &Boxed) -> Option<&$kind> {
                match boxed {
                    Boxed::$kind(value) => Some(value),
                    #[allow(unreachable_patterns, reason = "the list may have one type only")]
                    _ => None,
                }
            }

            fn from_boxed_mut(boxed: &mut Boxed) -> Option<&mut $kind> {
                match boxed {
                    Boxed::$kind(value) => Some(value),
                    #[allow(unreachable_patterns, reason = "the list may have one type only")]
                    _ => None,
                }
            }

            fn into_boxed(self) -> Boxed {
                Boxed::$kind(self)
            }
        })*
    };
}

collections! {
    Hash in hash,
    List in list,
    Set in set,
    Stream in stream,
    Zset in zset,
}
