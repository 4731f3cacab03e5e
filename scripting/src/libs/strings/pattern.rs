//! Lua's patterns. An implementation of our own, because Lua's recurses once per item of a pattern without a limit and
//! can search for ages without a look at whether to stop.

use std::ops::Range;

/// Most captures of a pattern.
pub(super) const MAX_CAPTURES: usize = 32;
/// Deepest recursion: items with a suffix and captures nest one level each.
const MAX_DEPTH: usize = 1000;
/// Bytes of subject and pattern that are looked at between two questions whether to go on.
const STEPS_PER_CHECK: usize = 1 << 12;
/// What looking at one takes, in units of work.
const STEP: usize = 16;

const ESCAPE: u8 = b'%';

/// Why a match came to no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The pattern is no pattern.
    Malformed(&'static str),
    /// Whoever was asked said to stop.
    Stopped,
}

/// What a capture has caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    /// `(` without its `)` so far.
    Open(usize),
    Closed {
        start: usize,
        end: usize,
    },
    /// `()`
    Position(usize),
}

/// One search: a pattern, its subject, and what has been captured so far.
pub(super) struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    captures: [Capture; MAX_CAPTURES],
    level: usize,
    steps: usize,
    keep_going: &'a mut dyn FnMut(usize) -> bool,
}

type Matched = Result<Option<usize>, Failure>;

impl<'a> Matcher<'a> {
    /// `keep_going` is told now and then how much work was done, and says whether there may be more.
    pub(super) fn new(subject: &'a [u8], pattern: &'a [u8], keep_going: &'a mut dyn FnMut(usize) -> bool) -> Self {
        // A zero byte ends a pattern.
        let end = pattern.iter().position(|&byte| byte == 0).unwrap_or(pattern.len());
        let captures = [Capture::Position(0); MAX_CAPTURES];
        Self { subject, pattern: &pattern[..end], captures, level: 0, steps: 0, keep_going }
    }

    /// Matches at a place of the subject; answers where the match ends.
    pub(super) fn match_at(&mut self, start: usize) -> Matched {
        self.level = 0;
        self.step(1)?;
        self.run(start, 0, 0)
    }

    /// What the last match has captured.
    pub(super) fn captures(&self) -> &[Capture] {
        &self.captures[..self.level]
    }

    #[inline]
    fn step(&mut self, count: usize) -> Result<(), Failure> {
        self.steps += count;
        if self.steps < STEPS_PER_CHECK { Ok(()) } else { self.check() }
    }

    #[cold]
    fn check(&mut self) -> Result<(), Failure> {
        let steps = std::mem::take(&mut self.steps);
        if (self.keep_going)(steps.saturating_mul(STEP)) { Ok(()) } else { Err(Failure::Stopped) }
    }

    fn at(&self, p: usize) -> Option<u8> {
        self.pattern.get(p).copied()
    }

    /// Matches the pattern from `p` on at `s`.
    fn run(&mut self, mut s: usize, mut p: usize, depth: usize) -> Matched {
        if depth > MAX_DEPTH {
            return Err(Failure::Malformed("pattern too complex"));
        }
        loop {
            self.step(1)?;
            let Some(item) = self.at(p) else { return Ok(Some(s)) };
            match item {
                b'(' => {
                    return match self.at(p + 1) {
                        Some(b')') => self.open_capture(s, p + 2, Capture::Position(s), depth),
                        _ => self.open_capture(s, p + 1, Capture::Open(s), depth),
                    };
                }
                b')' => return self.close_capture(s, p + 1, depth),
                b'$' if p + 1 == self.pattern.len() => {
                    return Ok((s == self.subject.len()).then_some(s));
                }
                ESCAPE => match self.at(p + 1) {
                    Some(b'b') => match self.balanced(s, p + 2)? {
                        Some(after) => {
                            s = after;
                            p += 4;
                            continue;
                        }
                        None => return Ok(None),
                    },
                    Some(b'f') => {
                        p += 2;
                        if self.at(p) != Some(b'[') {
                            return Err(Failure::Malformed("missing '[' after '%f' in pattern"));
                        }
                        let end = self.item_end(p)?;
                        let before = if s == 0 { 0 } else { self.subject[s - 1] };
                        let here = self.subject.get(s).copied().unwrap_or(0);
                        if self.in_set(before, p..end - 1) || !self.in_set(here, p..end - 1) {
                            return Ok(None);
                        }
                        p = end;
                        continue;
                    }
                    Some(digit) if digit.is_ascii_digit() => {
                        let Some(after) = self.match_capture(s, digit)? else { return Ok(None) };
                        s = after;
                        p += 2;
                        continue;
                    }
                    _ => {}
                },
                _ => {}
            }
            // One character, perhaps repeated.
            let end = self.item_end(p)?;
            self.step(end - p)?;
            match self.at(end) {
                Some(b'?') => {
                    if self.matches_one(s, p, end)
                        && let Some(result) = self.run(s + 1, end + 1, depth + 1)?
                    {
                        return Ok(Some(result));
                    }
                    p = end + 1;
                }
                Some(b'*') => return self.most(s, p, end, depth),
                Some(b'+') => {
                    return if self.matches_one(s, p, end) { self.most(s + 1, p, end, depth) } else { Ok(None) };
                }
                Some(b'-') => return self.fewest(s, p, end, depth),
                _ => {
                    if !self.matches_one(s, p, end) {
                        return Ok(None);
                    }
                    s += 1;
                    p = end;
                }
            }
        }
    }

    fn most(&mut self, s: usize, p: usize, end: usize, depth: usize) -> Matched {
        let mut count = 0;
        while self.matches_one(s + count, p, end) {
            count += 1;
            self.step(end - p)?;
        }
        loop {
            if let Some(result) = self.run(s + count, end + 1, depth + 1)? {
                return Ok(Some(result));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn fewest(&mut self, mut s: usize, p: usize, end: usize, depth: usize) -> Matched {
        loop {
            if let Some(result) = self.run(s, end + 1, depth + 1)? {
                return Ok(Some(result));
            }
            if !self.matches_one(s, p, end) {
                return Ok(None);
            }
            self.step(end - p)?;
            s += 1;
        }
    }

    fn open_capture(&mut self, s: usize, p: usize, capture: Capture, depth: usize) -> Matched {
        let Some(slot) = self.captures.get_mut(self.level) else {
            return Err(Failure::Malformed("too many captures"));
        };
        *slot = capture;
        self.level += 1;
        let result = self.run(s, p, depth + 1)?;
        if result.is_none() {
            self.level -= 1;
        }
        Ok(result)
    }

    fn close_capture(&mut self, s: usize, p: usize, depth: usize) -> Matched {
        let open = self.captures[..self.level].iter().rposition(|capture| matches!(capture, Capture::Open(_)));
        let Some(index) = open else { return Err(Failure::Malformed("invalid pattern capture")) };
        let Capture::Open(start) = self.captures[index] else { return Ok(None) };
        self.captures[index] = Capture::Closed { start, end: s };
        let result = self.run(s, p, depth + 1)?;
        if result.is_none() {
            self.captures[index] = Capture::Open(start);
        }
        Ok(result)
    }

    /// `%1`: the same text as a capture's.
    fn match_capture(&mut self, s: usize, digit: u8) -> Matched {
        let subject = self.subject;
        let captured = (digit as usize).checked_sub(b'1' as usize).and_then(|index| self.captures().get(index));
        let text = match captured {
            None | Some(Capture::Open(_)) => return Err(Failure::Malformed("invalid capture index")),
            // The length of a position is a huge number to C: it never fits.
            Some(Capture::Position(_)) => return Ok(None),
            Some(&Capture::Closed { start, end }) => &subject[start..end],
        };
        self.step(text.len() / STEP)?;
        Ok(self.subject[s..].starts_with(text).then(|| s + text.len()))
    }

    /// `%bxy`: from an x to the y that belongs to it.
    fn balanced(&mut self, s: usize, p: usize) -> Matched {
        let (Some(open), Some(close)) = (self.at(p), self.at(p + 1)) else {
            return Err(Failure::Malformed("unbalanced pattern"));
        };
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1usize;
        for (offset, &byte) in self.subject[s + 1..].iter().enumerate() {
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    self.step(offset)?;
                    return Ok(Some(s + offset + 2));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        self.step(self.subject.len() - s)?;
        Ok(None)
    }

    /// Where the single-character item at `p` ends.
    fn item_end(&self, mut p: usize) -> Result<usize, Failure> {
        let first = self.at(p);
        p += 1;
        match first {
            Some(ESCAPE) => match self.at(p) {
                Some(_) => Ok(p + 1),
                None => Err(Failure::Malformed("malformed pattern (ends with '%')")),
            },
            Some(b'[') => {
                const UNCLOSED: Failure = Failure::Malformed("malformed pattern (missing ']')");
                if self.at(p) == Some(b'^') {
                    p += 1;
                }
                // A `]` in the first place stands for itself.
                loop {
                    let Some(byte) = self.at(p) else { return Err(UNCLOSED) };
                    p += 1;
                    if byte == ESCAPE && self.at(p).is_some() {
                        p += 1;
                    }
                    if self.at(p) == Some(b']') {
                        return Ok(p + 1);
                    }
                }
            }
            _ => Ok(p),
        }
    }

    fn matches_one(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else { return false };
        match self.pattern[p] {
            b'.' => true,
            ESCAPE => in_class(byte, self.pattern[p + 1]),
            b'[' => self.in_set(byte, p..end - 1),
            literal => literal == byte,
        }
    }

    /// Whether a byte is in the set from its `[` to before its `]`.
    fn in_set(&self, byte: u8, set: Range<usize>) -> bool {
        let Range { start, end } = set;
        let mut p = start + 1;
        let mut answer = true;
        if self.at(p) == Some(b'^') {
            answer = false;
            p += 1;
        }
        while p < end {
            let first = self.pattern[p];
            if first == ESCAPE {
                p += 1;
                if self.at(p).is_some_and(|class| in_class(byte, class)) {
                    return answer;
                }
            } else if self.at(p + 1) == Some(b'-') && p + 2 < end {
                if (first..=self.pattern[p + 2]).contains(&byte) {
                    return answer;
                }
                p += 2;
            } else if first == byte {
                return answer;
            }
            p += 1;
        }
        !answer
    }
}

fn in_class(byte: u8, class: u8) -> bool {
    let found = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    found != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::{Failure, Matcher};

    fn find(subject: &str, pattern: &str) -> Result<Option<usize>, Failure> {
        Matcher::new(subject.as_bytes(), pattern.as_bytes(), &mut |_| true).match_at(0)
    }

    #[test]
    fn matches_at_the_start() {
        assert_eq!(find("hello", "h.-l"), Ok(Some(3)));
        assert_eq!(find("hello", "h.*l"), Ok(Some(4)));
        assert_eq!(find("(a(b)c)d", "%b()"), Ok(Some(7)));
        assert_eq!(find("THE", "%f[%a]%a+%f[%A]"), Ok(Some(3)));
        assert_eq!(find("abab", "(ab)%1$"), Ok(Some(4)));
        assert_eq!(find("]", "[]]"), Ok(Some(1)));
        assert_eq!(find("-", "[a-]"), Ok(Some(1)));
        assert_eq!(find("x", "[^%d]"), Ok(Some(1)));
    }

    #[test]
    fn deep_and_endless_ones_end() {
        let deep = "a?".repeat(100_000);
        assert!(matches!(find(&"a".repeat(100_000), &deep), Err(Failure::Malformed(_))));
        let mut asked = 0;
        let subject = "a".repeat(100);
        let pattern = "a*".repeat(30) + "b";
        let mut stop = |_| {
            asked += 1;
            asked < 3
        };
        assert_eq!(Matcher::new(subject.as_bytes(), pattern.as_bytes(), &mut stop).match_at(0), Err(Failure::Stopped));
    }
}
