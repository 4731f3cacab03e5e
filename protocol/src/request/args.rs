//! The arguments of one request.

use std::fmt;
use std::ops::{Index, Range};

use bytes::Bytes;

/// Where an argument lies: a stretch of the request's bytes, or the index of a [`Bytes`] of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// In place of a length: the argument is not among the request's bytes.
    const SHARED: u32 = u32::MAX;

    /// An argument among the bytes of its request; `None` where 32 bits cannot say where it is.
    pub(super) fn inside(start: usize, len: usize) -> Option<Self> {
        let end = start.checked_add(len)?;
        if end >= Self::SHARED as usize {
            return None;
        }
        Some(Self { start: start as u32, len: len as u32 })
    }

    /// The argument that is the `index`-th buffer of its own in its request.
    pub(super) fn shared(index: usize) -> Self {
        Self { start: index as u32, len: Self::SHARED }
    }
}

/// The arguments of a request, the command's name first. Small and `Copy`: pass it by value.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    data: &'a [u8],
    spans: &'a [Span],
    shared: &'a [Bytes],
}

impl<'a> Args<'a> {
    pub(super) fn new(data: &'a [u8], spans: &'a [Span], shared: &'a [Bytes]) -> Self {
        Self { data, spans, shared }
    }

    /// How many arguments there are, with the command's name.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none, which only the tail of a request can be.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    #[inline]
    fn resolve(&self, span: Span) -> Option<&'a [u8]> {
        let start = span.start as usize;
        if span.len == Span::SHARED {
            self.shared.get(start).map(|bytes| &bytes[..])
        } else {
            self.data.get(start..start + span.len as usize)
        }
    }

    /// The argument at an index.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.resolve(*self.spans.get(index)?)
    }

    /// The argument as a counted buffer, if it was big enough to get one when it was read.
    #[inline]
    pub fn shared(&self, index: usize) -> Option<&'a Bytes> {
        let span = self.spans.get(index)?;
        if span.len == Span::SHARED { self.shared.get(span.start as usize) } else { None }
    }

    /// The argument as a counted buffer: without a copy where it already is one.
    ///
    /// # Panics
    /// If there is no such argument, as indexing does.
    pub fn bytes(&self, index: usize) -> Bytes {
        match self.shared(index) {
            Some(bytes) => bytes.clone(),
            None => Bytes::copy_from_slice(&self[index]),
        }
    }

    /// The arguments from an index on; none if there are fewer.
    #[inline]
    pub fn tail(&self, from: usize) -> Args<'a> {
        Args { spans: self.spans.get(from..).unwrap_or_default(), ..*self }
    }

    /// The arguments with indexes in a range; none if there are not all of them.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Args<'a> {
        Args { spans: self.spans.get(range).unwrap_or_default(), ..*self }
    }

    /// All arguments in order.
    #[inline]
    pub fn iter(&self) -> ArgsIter<'a> {
        ArgsIter { args: *self }
    }

    /// The very bytes that the request came in, where these are what [`encode_command`] would make of it: for most that
    /// clients send. Not for what is a part of a request, was sent inline, or has a big argument.
    ///
    /// [`encode_command`]: crate::encode_command
    #[inline]
    pub fn as_sent(&self) -> Option<&'a [u8]> {
        let (first, last) = (self.spans.first()?, self.spans.last()?);
        // A line with the count and one with the length of the first argument, which is a name and short.
        let count = match self.data.get(..(first.start as usize).checked_sub(4)?)? {
            [b'*', one, b'\r', b'\n'] => usize::from(one.wrapping_sub(b'0')),
            [b'*', ten, one, b'\r', b'\n'] => {
                usize::from(ten.wrapping_sub(b'0')) * 10 + usize::from(one.wrapping_sub(b'0'))
            }
            _ => return None,
        };
        if count != self.spans.len() || first.len >= 10 {
            return None;
        }
        // Numbers were read by the book, but the reader takes any two bytes for the end of a line.
        for span in self.spans {
            let start = span.start as usize;
            let bounded = self.data.get(start.wrapping_sub(2)..start + span.len as usize + 2)?;
            if !bounded.starts_with(b"\r\n") || !bounded.ends_with(b"\r\n") || span.len == Span::SHARED {
                return None;
            }
        }
        self.data.get(..last.start as usize + last.len as usize + 2)
    }

    /// The sum of the arguments' lengths.
    pub fn total_len(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// # Panics
    /// If there is no such argument: for indexes that the command's arity has vouched for.
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        match self.get(index) {
            Some(argument) => argument,
            None => panic!("argument {index} of {}", self.len()),
        }
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;

    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|argument| argument.escape_ascii().to_string())).finish()
    }
}

/// Iterator over the arguments of a request.
#[derive(Clone)]
pub struct ArgsIter<'a> {
    args: Args<'a>,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (first, rest) = self.args.spans.split_first()?;
        self.args.spans = rest;
        self.args.resolve(*first)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.args.len(), Some(self.args.len()))
    }
}

impl ExactSizeIterator for ArgsIter<'_> {}

/// A request that owns its arguments: queued by MULTI, or made up by a script or another front.
///
/// Small arguments lie one after another in a single buffer, big ones keep their own.
#[derive(Clone, Default)]
pub struct OwnedArgs {
    data: Vec<u8>,
    spans: Vec<Span>,
    shared: Vec<Bytes>,
}

impl OwnedArgs {
    /// A request without arguments yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a copy of an argument.
    pub fn push(&mut self, argument: &[u8]) {
        match Span::inside(self.data.len(), argument.len()) {
            Some(span) => {
                self.data.extend_from_slice(argument);
                self.spans.push(span);
            }
            None => self.push_bytes(Bytes::copy_from_slice(argument)),
        }
    }

    /// Adds an argument that is a counted buffer already.
    pub fn push_bytes(&mut self, argument: Bytes) {
        self.spans.push(Span::shared(self.shared.len()));
        self.shared.push(argument);
    }

    /// Adds copies of arguments, but for those that are counted buffers.
    pub fn extend(&mut self, args: Args<'_>) {
        for index in 0..args.len() {
            match args.shared(index) {
                Some(bytes) => self.push_bytes(bytes.clone()),
                None => self.push(&args[index]),
            }
        }
    }

    /// Drops the arguments and keeps the memory, for the next request.
    pub fn clear(&mut self) {
        self.data.clear();
        self.spans.clear();
        self.shared.clear();
    }

    /// The arguments in the form that commands take.
    #[inline]
    pub fn as_args(&self) -> Args<'_> {
        Args { data: &self.data, spans: &self.spans, shared: &self.shared }
    }

    /// Bytes of memory behind the arguments.
    pub fn memory(&self) -> usize {
        self.data.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.shared.capacity() * size_of::<Bytes>()
            + self.shared.iter().map(Bytes::len).sum::<usize>()
    }
}

impl From<Args<'_>> for OwnedArgs {
    fn from(args: Args<'_>) -> Self {
        let mut owned = Self {
            spans: Vec::with_capacity(args.len()),
            data: Vec::with_capacity(
                (0..args.len()).filter(|&i| args.shared(i).is_none()).map(|i| args[i].len()).sum(),
            ),
            shared: Vec::new(),
        };
        owned.extend(args);
        owned
    }
}

impl From<Vec<Bytes>> for OwnedArgs {
    fn from(arguments: Vec<Bytes>) -> Self {
        Self { data: Vec::new(), spans: (0..arguments.len()).map(Span::shared).collect(), shared: arguments }
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for OwnedArgs {
    fn from_iter<I: IntoIterator<Item = T>>(arguments: I) -> Self {
        let mut owned = Self::new();
        for argument in arguments {
            owned.push(argument.as_ref());
        }
        owned
    }
}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_args().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_copied_and_counted_arguments() {
        let mut owned = OwnedArgs::new();
        owned.push(b"SET");
        owned.push_bytes(Bytes::from_static(b"key"));
        owned.push(b"");
        let args = owned.as_args();
        assert_eq!(args.iter().collect::<Vec<_>>(), [&b"SET"[..], b"key", b""]);
        assert_eq!(args.shared(0), None);
        assert_eq!(args.shared(1), Some(&Bytes::from_static(b"key")));
        assert_eq!(args.get(3), None);
        assert_eq!(args.total_len(), 6);
        assert_eq!(&args.tail(1)[0], b"key");
        assert!(args.tail(3).is_empty() && args.tail(9).is_empty());
        assert_eq!(args.slice(1..3).iter().collect::<Vec<_>>(), [&b"key"[..], b""]);
        assert!(args.slice(2..4).is_empty());
        assert_eq!(args.tail(3).get(0), None);

        let copy = OwnedArgs::from(args.tail(1));
        assert_eq!(copy.as_args().iter().collect::<Vec<_>>(), [&b"key"[..], b""]);
        assert_eq!(copy.as_args().bytes(0), "key");
        assert_eq!(copy.as_args().bytes(1), "");

        let list = OwnedArgs::from(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
        assert_eq!(format!("{list:?}"), r#"["a", "b"]"#);
        assert_eq!(["x", "y"].into_iter().collect::<OwnedArgs>().as_args().len(), 2);
    }
}
