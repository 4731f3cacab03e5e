//! One key with its value: a single allocation, reached through a nine-byte slot of the keyspace's table.
//!
//! The allocation holds, back to back and unpadded,
//!
//! ```text
//! [expiry: i64, if the slot says so] [key length: 1 or 5 bytes] [key] [value]
//! ```
//!
//! and the value is laid out as the slot's [`Kind`] says: an integer, a short string or packed collection with its
//! length, or a pointer to something larger. What kind it is and whether it expires stand in the spare bits of the
//! slot's pointer, so that walking over a page of slots does not touch the entries.

mod string;

use std::{ptr, slice};

use bytes::Bytes;

use crate::memory::good_size;
use crate::table::PlainItem;
use crate::value::{Boxed, Stored, Type, Value, WrongType};

use crate::layout::{
    LONG_KEY, allocate, boxed, head_len, inline_len_bytes, inline_parts, release, write_box, write_inline, write_key,
};
pub use string::StrRef;
use string::{LongString, grow};

/// Strings longer than this live in a buffer of their own, which replies can share.
pub const MAX_INLINE: usize = 4096;
/// Packed collections longer than this are boxed: each change to one inside an entry copies it out and back.
pub const MAX_PACKED: usize = 512;

/// How an entry's value is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A string that is a canonical 64-bit integer: its eight bytes.
    Int = 0,
    /// A short string: its length (1 or 3 bytes) and its bytes.
    Inline = 1,
    /// The same, made by editing; clients are told "raw" whatever its length.
    InlineRaw = 2,
    /// A long string: a pointer to a [`LongString`].
    Long = 3,
    /// A packed collection: a byte for its type and form, its length (1 or 3 bytes) and its bytes.
    Packed = 4,
    /// Another collection: a pointer to a [`Boxed`].
    Boxed = 5,
    /// The same, and something inside it expires.
    Timed = 6,
}

impl Kind {
    fn from_bits(bits: u64) -> Kind {
        match bits & 7 {
            0 => Kind::Int,
            1 => Kind::Inline,
            2 => Kind::InlineRaw,
            3 => Kind::Long,
            4 => Kind::Packed,
            5 => Kind::Boxed,
            _ => Kind::Timed,
        }
    }
}

/// A value on its way into an entry.
pub enum NewValue<'a> {
    Int(i64),
    /// Stored inside the entry when short, copied to a buffer of its own when long.
    Str(&'a [u8]),
    /// As `Str`, but reported as edited ("raw").
    Raw(&'a [u8]),
    /// A buffer that becomes the value without a copy.
    Shared(Bytes),
    /// An edited string that may have room to grow.
    Grown(Vec<u8>),
    /// The bytes of a packed collection, no more than [`MAX_PACKED`], its type and form.
    Packed(Type, u8, &'a [u8]),
    Boxed(Box<Boxed>),
}

impl<'a> NewValue<'a> {
    /// A collection as it is best stored; the buffer of a packed one is handed back through `buffer`.
    pub(crate) fn with_collection<C: Stored, R>(collection: C, put: impl FnOnce(NewValue<'_>) -> R) -> (R, Vec<u8>) {
        match collection.packed() {
            Some((form, bytes)) if bytes.len() <= MAX_PACKED => {
                let result = put(NewValue::Packed(C::TYPE, form, bytes));
                (result, collection.into_buffer())
            }
            _ => (put(NewValue::Boxed(Box::new(collection.into_boxed()))), Vec::new()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            NewValue::Int(_) => Kind::Int,
            NewValue::Str(s) if s.len() <= MAX_INLINE => Kind::Inline,
            NewValue::Raw(s) if s.len() <= MAX_INLINE => Kind::InlineRaw,
            NewValue::Shared(s) if s.len() <= MAX_INLINE => Kind::Inline,
            NewValue::Grown(s) if s.len() <= MAX_INLINE => Kind::InlineRaw,
            NewValue::Packed(..) => Kind::Packed,
            NewValue::Boxed(boxed) if boxed.next_expiry().is_some() => Kind::Timed,
            NewValue::Boxed(_) => Kind::Boxed,
            _ => Kind::Long,
        }
    }

    /// Bytes that the value takes inside the entry.
    fn stored_len(&self) -> usize {
        let inline = |len: usize| if len <= MAX_INLINE { inline_len_bytes(len) + len } else { POINTER_LEN };
        match self {
            NewValue::Int(_) => 8,
            NewValue::Str(s) | NewValue::Raw(s) => inline(s.len()),
            NewValue::Shared(s) => inline(s.len()),
            NewValue::Grown(s) => inline(s.len()),
            NewValue::Packed(_, _, bytes) => 1 + inline(bytes.len()),
            NewValue::Boxed(_) => POINTER_LEN,
        }
    }
}

const POINTER_LEN: usize = size_of::<*mut u8>();

const EXPIRES: u64 = 1 << 47;
const POINTER: u64 = (1 << 47) - 1 - 7;

/// The keyspace table's item: a packed pointer to the entry, its kind and expiry bits, and the 24-bit access clock.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Slot([u8; 9]);

// SAFETY: nine plain bytes.
unsafe impl PlainItem for Slot {}

impl Slot {
    fn word(&self) -> u64 {
        let [a, b, c, d, e, f, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    fn set_word(&mut self, word: u64) {
        self.0[..6].copy_from_slice(&word.to_le_bytes()[..6]);
    }

    fn set_kind(&mut self, kind: Kind) {
        self.set_word((self.word() & !7) | kind as u64);
    }

    fn at(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut((self.word() & POINTER) as usize)
    }

    /// Where the entry lies, for prefetching only.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.at()
    }

    pub(crate) fn kind(&self) -> Kind {
        Kind::from_bits(self.word())
    }

    /// Whether the entry has an expiry, told without touching it.
    #[inline]
    pub fn expires(&self) -> bool {
        self.word() & EXPIRES != 0
    }

    /// Whether something inside the value expires, told without touching it.
    #[inline]
    pub fn is_timed(&self) -> bool {
        self.kind() == Kind::Timed
    }

    /// The 24-bit clock of the last access (see [`crate::access`]).
    pub fn access(&self) -> u32 {
        u32::from_le_bytes([self.0[6], self.0[7], self.0[8], 0])
    }

    pub fn set_access(&mut self, clock: u32) {
        self.0[6..].copy_from_slice(&clock.to_le_bytes()[..3]);
    }

    /// Allocates an entry. The slot owns it: exactly one of [`Slot::free`] must end it.
    pub fn new(key: &[u8], expiry: Option<i64>, value: NewValue<'_>, access: u32) -> Slot {
        let head = head_len(key.len(), expiry.is_some());
        let size = head + value.stored_len();
        let kind = value.kind();
        let at = allocate(size);
        let mut slot = Slot([0; 9]);
        let bits = at.expose_provenance() as u64;
        assert_eq!(bits & !POINTER, 0, "user-space pointers are 8-aligned and below 2^47");
        slot.set_word(bits | kind as u64 | if expiry.is_some() { EXPIRES } else { 0 });
        slot.set_access(access);
        // SAFETY: `at` is a fresh allocation of `size` bytes: the head takes `head` of them, the value the rest.
        unsafe {
            let mut p = at;
            if let Some(when) = expiry {
                p.cast::<i64>().write_unaligned(when);
                p = p.add(8);
            }
            write_key(p, key);
            write_value(at.add(head), value);
        }
        slot
    }

    /// Ends the entry. Not `Drop`: slots are plain bytes that tables move about.
    pub fn free(self) {
        let size = self.size();
        // SAFETY: the slot owns its entry, whose value is dropped once and whose allocation had this size.
        unsafe {
            drop_value(self.kind(), self.value_at());
            release(self.at(), size);
        }
    }

    pub fn key(&self) -> &[u8] {
        let skip = if self.expires() { 8 } else { 0 };
        // SAFETY: behind the expiry stand the key's length and then as many bytes.
        unsafe {
            let p = self.at().add(skip);
            match *p {
                LONG_KEY => {
                    let len = p.add(1).cast::<u32>().read_unaligned() as usize;
                    slice::from_raw_parts(p.add(5), len)
                }
                len => slice::from_raw_parts(p.add(1), usize::from(len)),
            }
        }
    }

    /// When the key expires, in Unix milliseconds.
    pub fn expiry(&self) -> Option<i64> {
        // SAFETY: the bit says that the entry begins with its expiry.
        self.expires().then(|| unsafe { self.at().cast::<i64>().read_unaligned() })
    }

    /// When the first thing inside the value expires, in Unix milliseconds.
    pub fn inner_expiry(&self) -> Option<i64> {
        if self.is_timed() { self.boxed().and_then(Boxed::next_expiry) } else { None }
    }

    /// The value, if it is a string.
    #[inline]
    pub fn string(&self) -> Option<StrRef<'_>> {
        let p = self.value_at();
        // SAFETY: `value_at` is where `write_value` put a value of this kind.
        unsafe {
            match self.kind() {
                Kind::Int => Some(StrRef::Int(p.cast::<i64>().read_unaligned())),
                Kind::Inline | Kind::InlineRaw => {
                    let (data, len) = inline_parts(p);
                    Some(StrRef::Bytes(slice::from_raw_parts(data, len)))
                }
                Kind::Long => Some(StrRef::Bytes((*boxed::<LongString>(p)).as_slice())),
                Kind::Packed | Kind::Boxed | Kind::Timed => None,
            }
        }
    }

    /// A packed collection: its type, form and bytes.
    fn packed(&self) -> Option<(u8, u8, &[u8])> {
        if self.kind() != Kind::Packed {
            return None;
        }
        let p = self.value_at();
        // SAFETY: a value of this kind is a byte followed by an inline string.
        unsafe {
            let (data, len) = inline_parts(p.add(1));
            Some((*p & 7, *p >> 3, slice::from_raw_parts(data, len)))
        }
    }

    pub(crate) fn boxed(&self) -> Option<&Boxed> {
        // SAFETY: a value of these kinds is a pointer to a collection that the entry owns.
        matches!(self.kind(), Kind::Boxed | Kind::Timed).then(|| unsafe { &*boxed::<Boxed>(self.value_at()) })
    }

    pub(crate) fn boxed_mut(&mut self) -> Option<&mut Boxed> {
        // SAFETY: as in `boxed`, and `&mut self` is the only way to it.
        matches!(self.kind(), Kind::Boxed | Kind::Timed).then(|| unsafe { &mut *boxed::<Boxed>(self.value_at()) })
    }

    pub fn value(&self) -> Value<'_> {
        if let Some(string) = self.string() {
            return Value::Str(string);
        }
        match (self.packed(), self.boxed()) {
            (Some((kind, form, bytes)), _) => Value::packed(kind, form, bytes),
            (_, Some(boxed)) => boxed.as_ref(),
            _ => unreachable!("a value is a string, packed or boxed"),
        }
    }

    /// The collection, if it is one of this type.
    #[inline]
    pub fn collection<C: Stored>(&self) -> Result<C::Ref<'_>, WrongType> {
        if let Some((kind, form, bytes)) = self.packed() {
            return if kind == C::TYPE as u8 { Ok(C::packed_ref(form, bytes)) } else { Err(WrongType) };
        }
        self.boxed().and_then(C::from_boxed).map(C::as_ref).ok_or(WrongType)
    }

    /// Lets `change` work on the collection, which says besides its result whether it changed anything. A packed one is
    /// copied to `scratch` for it, and back.
    pub fn change<C: Stored, R>(
        &mut self,
        scratch: &mut Vec<u8>,
        change: impl FnOnce(&mut C) -> (R, bool),
    ) -> Result<R, WrongType> {
        if let Some((kind, form, bytes)) = self.packed() {
            if kind != C::TYPE as u8 {
                return Err(WrongType);
            }
            let mut buffer = std::mem::take(scratch);
            buffer.clear();
            buffer.extend_from_slice(bytes);
            let mut collection = C::from_packed(form, buffer);
            let (result, changed) = change(&mut collection);
            *scratch = if changed {
                NewValue::with_collection(collection, |value| self.set_value(value)).1
            } else {
                collection.into_buffer()
            };
            return Ok(result);
        }
        let boxed = self.boxed_mut().ok_or(WrongType)?;
        let (result, _) = change(C::from_boxed_mut(boxed).ok_or(WrongType)?);
        let timed = boxed.next_expiry().is_some();
        self.set_kind(if timed { Kind::Timed } else { Kind::Boxed });
        Ok(result)
    }

    /// Removes about `most` elements that have expired inside the value, and hides the others. Calls `each` with the name
    /// of every one that it removes, and returns how many these were.
    pub fn expire_inside(&mut self, now_ms: i64, most: usize, each: impl FnMut(&[u8])) -> usize {
        let Some(boxed) = self.boxed_mut() else { return 0 };
        let removed = boxed.expire(now_ms, most, each);
        let timed = boxed.next_expiry().is_some();
        self.set_kind(if timed { Kind::Timed } else { Kind::Boxed });
        removed
    }

    /// Whether the value is a collection that is empty and must go.
    pub fn is_spent(&self) -> bool {
        // Nothing empty is packed: it takes a change to empty a collection, which then is looked at.
        self.boxed().is_some_and(Boxed::is_spent)
    }

    /// A long string's buffer, shared with the caller; `None` where copying is the better way.
    pub fn share(&mut self) -> Option<Bytes> {
        // SAFETY: a value of this kind is a pointer to a string that the entry owns, and `&mut self` the only way to it.
        (self.kind() == Kind::Long).then(|| unsafe { (*boxed::<LongString>(self.value_at())).share() })
    }

    fn long(&self) -> Option<&LongString> {
        // SAFETY: a value of this kind is a pointer to a string that the entry owns.
        (self.kind() == Kind::Long).then(|| unsafe { &*boxed::<LongString>(self.value_at()) })
    }

    /// Whether freeing takes so long that another thread should do it.
    pub fn is_big(&self) -> bool {
        const LONG: usize = 64 * 1024;
        const MANY: usize = 64;
        self.long().is_some_and(|string| string.as_slice().len() >= LONG) || self.free_effort() >= MANY
    }

    /// How many blocks of memory there are to be freed, about.
    pub fn free_effort(&self) -> usize {
        self.boxed().map_or(1, |boxed| boxed.free_effort())
    }

    /// The entry's own bytes, as the allocator rounds them, and those behind its value.
    pub fn memory(&self) -> usize {
        let behind = match (self.long(), self.boxed()) {
            (Some(string), _) => good_size(string.as_slice().len()) + good_size(size_of::<LongString>()),
            (_, Some(boxed)) => boxed.memory() + good_size(size_of::<Boxed>()),
            _ => 0,
        };
        good_size(self.size()) + behind
    }

    /// Replaces the value; in place when the entry's size class does not change.
    pub fn set_value(&mut self, value: NewValue<'_>) {
        let head = head_len(self.key().len(), self.expires());
        let (old, new) = (self.size(), head + value.stored_len());
        if good_size(old) != good_size(new) {
            let next = Slot::new(self.key(), self.expiry(), value, self.access());
            std::mem::replace(self, next).free();
            return;
        }
        let kind = value.kind();
        // SAFETY: the allocation has room for `new` bytes, and the old value is dropped before it is overwritten.
        unsafe {
            let p = self.value_at();
            drop_value(self.kind(), p);
            write_value(p, value);
        }
        self.set_kind(kind);
    }

    /// Sets or clears the expiry.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        match (self.expires(), expiry) {
            // SAFETY: the entry begins with its expiry.
            (true, Some(when)) => unsafe { self.at().cast::<i64>().write_unaligned(when) },
            (false, None) => {}
            _ => self.with_other_head(None, expiry),
        }
    }

    /// Gives the entry another key and expiry and keeps the value.
    pub fn rename(&mut self, key: &[u8], expiry: Option<i64>) {
        self.with_other_head(Some(key), expiry);
    }

    /// Moves the value, as the bytes it is, behind a new head.
    fn with_other_head(&mut self, key: Option<&[u8]>, expiry: Option<i64>) {
        let old_size = self.size();
        let old = *self;
        let key = key.unwrap_or(old.key());
        let value_len = old_size - head_len(old.key().len(), old.expires());
        let head = head_len(key.len(), expiry.is_some());
        let at = allocate(head + value_len);
        // SAFETY: the new allocation holds the head and the value, whose bytes (a handle's too) are moved, not
        // copied: the old allocation is released without dropping what it held.
        unsafe {
            let mut p = at;
            if let Some(when) = expiry {
                p.cast::<i64>().write_unaligned(when);
                p = p.add(8);
            }
            write_key(p, key);
            ptr::copy_nonoverlapping(old.value_at(), at.add(head), value_len);
            release(old.at(), old_size);
        }
        let flag = if expiry.is_some() { EXPIRES } else { 0 };
        self.set_word(at.expose_provenance() as u64 | old.kind() as u64 | flag);
    }

    /// A second entry with the same value under another key.
    pub fn duplicate(&self, key: &[u8], expiry: Option<i64>, access: u32) -> Slot {
        let value = if let Some((kind, form, bytes)) = self.packed() {
            NewValue::Packed(Value::packed(kind, form, bytes).kind(), form, bytes)
        } else if let Some(boxed) = self.boxed() {
            NewValue::Boxed(Box::new(boxed.clone()))
        } else {
            match self.string() {
                Some(StrRef::Int(n)) => NewValue::Int(n),
                Some(StrRef::Bytes(s)) if self.kind() == Kind::InlineRaw => NewValue::Raw(s),
                Some(StrRef::Bytes(s)) => NewValue::Str(s),
                None => unreachable!("a value is a string, packed or boxed"),
            }
        };
        Slot::new(key, expiry, value, access)
    }

    /// Makes the string an editable one of at least `min_len` bytes (zero-padded), lets `edit` change the bytes in
    /// place, and leaves it marked as edited.
    pub fn edit<R>(&mut self, min_len: usize, edit: impl FnOnce(&mut [u8]) -> R) -> Result<R, WrongType> {
        if self.kind() == Kind::Long {
            // SAFETY: a value of this kind is a pointer to a string that the entry owns, `&mut self` the only way to it.
            let string = unsafe { (*boxed::<LongString>(self.value_at())).edit() };
            if string.len() < min_len {
                grow(string, min_len);
            }
            return Ok(edit(string));
        }
        let mut digits = itoa::Buffer::new();
        let current = self.string().ok_or(WrongType)?.bytes(&mut digits);
        let len = current.len().max(min_len);
        if self.kind() != Kind::Int && len == current.len() {
            self.set_kind(Kind::InlineRaw);
            // SAFETY: an inline string of `len` bytes, to which `&mut self` is the only way.
            return Ok(unsafe {
                let (data, len) = inline_parts(self.value_at());
                edit(slice::from_raw_parts_mut(data, len))
            });
        }
        let mut string = Vec::from(current);
        grow(&mut string, len);
        let result = edit(&mut string);
        self.set_value(if len > MAX_INLINE { NewValue::Grown(string) } else { NewValue::Raw(&string) });
        Ok(result)
    }

    fn value_at(&self) -> *mut u8 {
        let key = self.key();
        // SAFETY: the value follows the key, and both lie in one allocation; the pointer is rebuilt from the
        // allocation's own so that it may be written through.
        unsafe {
            let offset = key.as_ptr().offset_from(self.at()) as usize + key.len();
            self.at().add(offset)
        }
    }

    /// Bytes asked for when this entry was allocated, as far as its size class goes.
    fn size(&self) -> usize {
        let head = head_len(self.key().len(), self.expires());
        let p = self.value_at();
        // SAFETY: `p` is where `write_value` put a value of this kind.
        let inline = |p: *mut u8| unsafe {
            let (_, len) = inline_parts(p);
            inline_len_bytes(len) + len
        };
        head + match self.kind() {
            Kind::Int => 8,
            Kind::Inline | Kind::InlineRaw => inline(p),
            // SAFETY: the inline string stands behind the byte that tells its type.
            Kind::Packed => 1 + inline(unsafe { p.add(1) }),
            Kind::Long | Kind::Boxed | Kind::Timed => POINTER_LEN,
        }
    }
}

/// # Safety
/// `p` has room for `value.stored_len()` bytes and holds nothing that needs dropping.
unsafe fn write_value(p: *mut u8, value: NewValue<'_>) {
    // SAFETY: see above.
    unsafe {
        match value {
            NewValue::Int(n) => p.cast::<i64>().write_unaligned(n),
            NewValue::Str(s) | NewValue::Raw(s) if s.len() <= MAX_INLINE => write_inline(p, s),
            NewValue::Shared(s) if s.len() <= MAX_INLINE => write_inline(p, &s),
            NewValue::Grown(s) if s.len() <= MAX_INLINE => write_inline(p, &s),
            NewValue::Str(s) | NewValue::Raw(s) => write_box(p, Box::new(LongString::Owned(s.to_vec()))),
            NewValue::Shared(s) => write_box(p, Box::new(LongString::Shared(s))),
            NewValue::Grown(s) => write_box(p, Box::new(LongString::Owned(s))),
            NewValue::Packed(kind, form, bytes) => {
                *p = kind as u8 | form << 3;
                write_inline(p.add(1), bytes);
            }
            NewValue::Boxed(collection) => write_box(p, collection),
        }
    }
}

/// # Safety
/// `p` holds a value of this kind, which is not used again.
unsafe fn drop_value(kind: Kind, p: *mut u8) {
    // SAFETY: see above; the boxes were made by `write_box`.
    unsafe {
        match kind {
            Kind::Int | Kind::Inline | Kind::InlineRaw | Kind::Packed => {}
            Kind::Long => drop(Box::from_raw(boxed::<LongString>(p))),
            Kind::Boxed | Kind::Timed => drop(Box::from_raw(boxed::<Boxed>(p))),
        }
    }
}
