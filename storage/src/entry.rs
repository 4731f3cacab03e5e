//! One key with its value: a single allocation, reached through a nine-byte slot of the keyspace's table.
//!
//! The allocation holds, back to back and unpadded,
//!
//! ```text
//! [expiry: i64, if the slot says so] [key length: 1 or 5 bytes] [key] [value]
//! ```
//!
//! and the value is, by the slot's [`Kind`], eight bytes of integer, a length (1 or 3 bytes) with the string's bytes, or
//! a pointer to a [`LongString`]. What kind it is and whether it expires stand in the spare bits of the slot's
//! pointer, so that walking over a page of slots does not touch the entries.

use std::alloc::{self, Layout};
use std::{ptr, slice};

use bytes::Bytes;

use crate::memory::good_size;
use crate::table::PlainItem;

/// Strings longer than this live in a buffer of their own, which replies can share.
pub const MAX_INLINE: usize = 4096;

/// A string too long for its entry.
enum LongString {
    /// Being edited: has room to grow.
    Owned(Vec<u8>),
    /// Handed in by a client's request or out to a client's reply, and copied at the next edit if still in use.
    Shared(Bytes),
}

impl LongString {
    fn as_slice(&self) -> &[u8] {
        match self {
            LongString::Owned(bytes) => bytes,
            LongString::Shared(bytes) => bytes,
        }
    }

    fn share(&mut self) -> Bytes {
        if let LongString::Owned(bytes) = self {
            *self = LongString::Shared(std::mem::take(bytes).into());
        }
        match self {
            LongString::Shared(bytes) => bytes.clone(),
            LongString::Owned(_) => unreachable!("made shared above"),
        }
    }

    fn edit(&mut self) -> &mut Vec<u8> {
        if let LongString::Shared(bytes) = self {
            *self = LongString::Owned(Vec::from(std::mem::take(bytes)));
        }
        match self {
            LongString::Owned(bytes) => bytes,
            LongString::Shared(_) => unreachable!("made owned above"),
        }
    }
}

/// How an entry's value is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A string that is a canonical 64-bit integer.
    Int = 0,
    /// A short string inside the entry.
    Inline = 1,
    /// A short string inside the entry that was made by editing; clients are told "raw" whatever its length.
    InlineRaw = 2,
    /// A long string in a buffer of its own.
    Heap = 3,
}

impl Kind {
    /// The type's name as TYPE tells it.
    pub fn type_name(self) -> &'static str {
        match self {
            Kind::Int | Kind::Inline | Kind::InlineRaw | Kind::Heap => "string",
        }
    }

    fn from_bits(bits: u64) -> Kind {
        match bits & 7 {
            0 => Kind::Int,
            1 => Kind::Inline,
            2 => Kind::InlineRaw,
            _ => Kind::Heap,
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
}

impl NewValue<'_> {
    /// The kind that this value is stored as.
    fn kind(&self) -> Kind {
        match self {
            NewValue::Int(_) => Kind::Int,
            NewValue::Str(s) if s.len() <= MAX_INLINE => Kind::Inline,
            NewValue::Raw(s) if s.len() <= MAX_INLINE => Kind::InlineRaw,
            NewValue::Shared(s) if s.len() <= MAX_INLINE => Kind::Inline,
            NewValue::Grown(s) if s.len() <= MAX_INLINE => Kind::InlineRaw,
            _ => Kind::Heap,
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
        }
    }
}

/// A string value as it lies in its entry.
#[derive(Clone, Copy)]
pub enum StrRef<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> StrRef<'a> {
    /// The value's bytes; an integer is written out into `digits`.
    pub fn bytes(self, digits: &'a mut itoa::Buffer) -> &'a [u8] {
        match self {
            StrRef::Int(n) => digits.format(n).as_bytes(),
            StrRef::Bytes(bytes) => bytes,
        }
    }

    pub fn len(self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

const POINTER_LEN: usize = size_of::<*mut LongString>();

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

    fn at(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut((self.word() & POINTER) as usize)
    }

    /// Where the entry lies, for prefetching only.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.at()
    }

    pub fn kind(&self) -> Kind {
        Kind::from_bits(self.word())
    }

    /// Whether the entry has an expiry, told without touching it.
    #[inline]
    pub fn expires(&self) -> bool {
        self.word() & EXPIRES != 0
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

    pub fn value(&self) -> StrRef<'_> {
        let p = self.value_at();
        // SAFETY: `value_at` is where `write_value` put a value of this kind.
        unsafe {
            match self.kind() {
                Kind::Int => StrRef::Int(p.cast::<i64>().read_unaligned()),
                Kind::Inline | Kind::InlineRaw => {
                    let (data, len) = inline_parts(p);
                    StrRef::Bytes(slice::from_raw_parts(data, len))
                }
                Kind::Heap => StrRef::Bytes((*long_string(p)).as_slice()),
            }
        }
    }

    /// A long string's buffer, shared with the caller; `None` where copying is the better way.
    pub fn share(&mut self) -> Option<Bytes> {
        // SAFETY: a value of this kind is a pointer to a string that the entry owns, and `&mut self` the only way to it.
        (self.kind() == Kind::Heap).then(|| unsafe { (*long_string(self.value_at())).share() })
    }

    /// Bytes behind the entry, for deciding whether freeing is worth another thread.
    pub fn heap_len(&self) -> usize {
        // SAFETY: a value of this kind is a pointer to a string that the entry owns.
        if self.kind() == Kind::Heap { unsafe { (*long_string(self.value_at())).as_slice().len() } } else { 0 }
    }

    /// The entry's own bytes, as the allocator rounds them, and those of a long string.
    pub fn memory(&self) -> usize {
        let long = self.heap_len();
        good_size(self.size()) + if long > 0 { good_size(long) + good_size(size_of::<LongString>()) } else { 0 }
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
        self.set_word((self.word() & !7) | kind as u64);
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
        let value = match self.value() {
            StrRef::Int(n) => NewValue::Int(n),
            StrRef::Bytes(s) if self.kind() == Kind::InlineRaw => NewValue::Raw(s),
            StrRef::Bytes(s) => NewValue::Str(s),
        };
        Slot::new(key, expiry, value, access)
    }

    /// Makes the value an editable string of at least `min_len` bytes (zero-padded), lets `edit` change the bytes in
    /// place, and leaves it marked as edited.
    pub fn edit<R>(&mut self, min_len: usize, edit: impl FnOnce(&mut [u8]) -> R) -> R {
        if self.kind() == Kind::Heap {
            // SAFETY: a value of this kind is a pointer to a string that the entry owns, `&mut self` the only way to it.
            let string = unsafe { (*long_string(self.value_at())).edit() };
            if string.len() < min_len {
                grow(string, min_len);
            }
            return edit(string);
        }
        let mut digits = itoa::Buffer::new();
        let current = self.value().bytes(&mut digits);
        let len = current.len().max(min_len);
        if self.kind() != Kind::Int && len == current.len() {
            self.set_word((self.word() & !7) | Kind::InlineRaw as u64);
            // SAFETY: an inline string of `len` bytes, to which `&mut self` is the only way.
            return unsafe {
                let (data, len) = inline_parts(self.value_at());
                edit(slice::from_raw_parts_mut(data, len))
            };
        }
        let mut string = Vec::from(current);
        grow(&mut string, len);
        let result = edit(&mut string);
        self.set_value(if len > MAX_INLINE { NewValue::Grown(string) } else { NewValue::Raw(&string) });
        result
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
        head + match self.value() {
            StrRef::Int(_) => 8,
            StrRef::Bytes(_) if self.kind() == Kind::Heap => POINTER_LEN,
            StrRef::Bytes(s) => inline_len_bytes(s.len()) + s.len(),
        }
    }
}

const LONG_KEY: u8 = 255;
const LONG_INLINE: u8 = 255;

fn head_len(key_len: usize, expires: bool) -> usize {
    (if expires { 8 } else { 0 }) + (if key_len < usize::from(LONG_KEY) { 1 } else { 5 }) + key_len
}

fn inline_len_bytes(len: usize) -> usize {
    if len < usize::from(LONG_INLINE) { 1 } else { 3 }
}

/// Lengthens with zeros, with room for more once the string is long: appending byte by byte must not copy it each time.
fn grow(string: &mut Vec<u8>, len: usize) {
    if len > string.capacity() && len > MAX_INLINE {
        string.reserve_exact(len + len / 4 - string.len());
    }
    string.resize(len, 0);
}

/// Whole size classes, so that an entry whose value changes in place is released with the layout it was allocated with.
fn layout(size: usize) -> Layout {
    Layout::from_size_align(good_size(size), 8).expect("an entry is far smaller than the address space")
}

fn allocate(size: usize) -> *mut u8 {
    // SAFETY: an entry has at least a key length, so the size is not zero.
    let at = unsafe { alloc::alloc(layout(size)) };
    if at.is_null() {
        alloc::handle_alloc_error(layout(size));
    }
    at
}

/// # Safety
/// `at` came from [`allocate`] with a size of the same class and is not used again.
unsafe fn release(at: *mut u8, size: usize) {
    // SAFETY: see above.
    unsafe { alloc::dealloc(at, layout(size)) }
}

/// # Safety
/// `p` has room for the key and its length.
unsafe fn write_key(p: *mut u8, key: &[u8]) {
    // SAFETY: see above.
    unsafe {
        let data = match u8::try_from(key.len()) {
            Ok(len) if len != LONG_KEY => {
                *p = len;
                p.add(1)
            }
            _ => {
                *p = LONG_KEY;
                p.add(1).cast::<u32>().write_unaligned(u32::try_from(key.len()).expect("keys are below 4 GiB"));
                p.add(5)
            }
        };
        ptr::copy_nonoverlapping(key.as_ptr(), data, key.len());
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
            NewValue::Str(s) | NewValue::Raw(s) => write_long(p, LongString::Owned(s.to_vec())),
            NewValue::Shared(s) => write_long(p, LongString::Shared(s)),
            NewValue::Grown(s) => write_long(p, LongString::Owned(s)),
        }
    }
}

/// # Safety
/// `p` has room for the string and its length.
unsafe fn write_inline(p: *mut u8, s: &[u8]) {
    // SAFETY: see above.
    unsafe {
        let data = match u8::try_from(s.len()) {
            Ok(len) if len != LONG_INLINE => {
                *p = len;
                p.add(1)
            }
            _ => {
                *p = LONG_INLINE;
                p.add(1).cast::<u16>().write_unaligned(s.len() as u16);
                p.add(3)
            }
        };
        ptr::copy_nonoverlapping(s.as_ptr(), data, s.len());
    }
}

/// # Safety
/// `p` has room for a pointer.
unsafe fn write_long(p: *mut u8, string: LongString) {
    // SAFETY: see above.
    unsafe { p.cast::<*mut LongString>().write_unaligned(Box::into_raw(Box::new(string))) }
}

/// # Safety
/// `p` holds what [`write_long`] wrote.
unsafe fn long_string(p: *mut u8) -> *mut LongString {
    // SAFETY: see above.
    unsafe { p.cast::<*mut LongString>().read_unaligned() }
}

/// # Safety
/// `p` holds an inline string as [`write_inline`] wrote it.
unsafe fn inline_parts(p: *mut u8) -> (*mut u8, usize) {
    // SAFETY: see above.
    unsafe {
        match *p {
            LONG_INLINE => (p.add(3), usize::from(p.add(1).cast::<u16>().read_unaligned())),
            len => (p.add(1), usize::from(len)),
        }
    }
}

/// # Safety
/// `p` holds a value of this kind, which is not used again.
unsafe fn drop_value(kind: Kind, p: *mut u8) {
    if kind == Kind::Heap {
        // SAFETY: see above; the box was made by `write_long`.
        drop(unsafe { Box::from_raw(long_string(p)) });
    }
}
