//! A key as commands read it.

use crate::entry::{Kind, Slot, StrRef};
use crate::value::{Stored, Type, Value, WrongType};

/// Strings up to this length are reported as "embstr".
const MAX_EMBSTR: usize = 44;

/// A key as commands read it. Changing goes through the [`View`], which records it.
#[derive(Clone, Copy)]
pub struct Entry<'v>(pub(super) &'v Slot);

impl<'v> Entry<'v> {
    pub fn value(self) -> Value<'v> {
        self.0.value()
    }

    /// The value, if it is a string.
    #[inline]
    pub fn string(self) -> Result<StrRef<'v>, WrongType> {
        self.0.string().ok_or(WrongType)
    }

    /// The value, if it is a collection of this type.
    #[inline]
    pub fn get<C: Stored>(self) -> Result<C::Ref<'v>, WrongType> {
        self.0.collection::<C>()
    }

    pub fn kind(self) -> Type {
        self.value().kind()
    }

    /// The encoding's name as OBJECT ENCODING tells it, by the rules of Redis rather than by how the value lies here.
    pub fn encoding(self) -> &'static str {
        match (self.0.kind(), self.value()) {
            (Kind::Int, _) => "int",
            (Kind::Inline, Value::Str(string)) if string.len() <= MAX_EMBSTR => "embstr",
            (_, value) => value.encoding(),
        }
    }

    pub fn expiry(self) -> Option<i64> {
        self.0.expiry()
    }

    /// Where the entry lies, for people to look at only.
    pub fn address(self) -> *const u8 {
        self.0.address()
    }

    pub fn access(self) -> u32 {
        self.0.access()
    }

    /// Bytes that the key and its value take, its place in the table included.
    pub fn memory(self) -> usize {
        self.0.memory() + size_of::<Slot>()
    }
}
