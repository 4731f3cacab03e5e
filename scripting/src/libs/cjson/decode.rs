//! JSON text as Lua values.

use std::borrow::Cow;
use std::ffi::{CString, c_int};

use super::{ARRAY_METATABLE, Setting, is_on, setting};
use crate::lua::numbers::parse_prefix;
use crate::lua::{Outcome, Raise, State};

/// What a value takes, in units of work.
const VALUE: usize = 64;

#[derive(Debug)]
enum Token<'a> {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Cow<'a, [u8]>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token<'_> {
    /// What an error says was found.
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(message) => message,
        }
    }
}

/// Splits the text into tokens. The text ends at its first zero byte.
struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last token begins, or the error in it is.
    token_at: usize,
    allow_invalid_numbers: bool,
}

impl<'a> Lexer<'a> {
    fn peek(&self, offset: usize) -> u8 {
        self.text.get(self.at + offset).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Token<'a> {
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.token_at = self.at;
        let token = match self.peek(0) {
            0 => return Token::End,
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.allow_invalid_numbers && self.is_invalid_number() {
                    return Token::Error("invalid number");
                }
                return self.number();
            }
            b't' | b'f' | b'n' | b'N' | b'i' | b'I' | b'+' => return self.word(),
            _ => return Token::Error("invalid token"),
        };
        self.at += 1;
        token
    }

    fn word(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        for (word, token) in
            [(&b"true"[..], Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)]
        {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.allow_invalid_numbers && self.is_invalid_number() {
            return self.number();
        }
        Token::Error("invalid token")
    }

    /// Whether this is a number to C's `strtod` but not to JSON.
    fn is_invalid_number(&self) -> bool {
        if self.peek(0) == b'+' {
            return true;
        }
        let sign = usize::from(self.peek(0) == b'-');
        match self.peek(sign) {
            b'0' => matches!(self.peek(sign + 1), b'x' | b'X' | b'0'..=b'9'),
            ..=b'9' => false,
            _ => {
                let word = self.text.get(self.at + sign..self.at + sign + 3).unwrap_or_default();
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            }
        }
    }

    fn number(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let (value, length) = match decimal_length(rest) {
            Some(length) => {
                let value = std::str::from_utf8(&rest[..length]).ok().and_then(|text| text.parse().ok());
                (value.unwrap_or_default(), length)
            }
            None => {
                let end = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"+-._()".contains(byte)));
                let text = CString::new(&rest[..end.unwrap_or(rest.len())]).unwrap_or_default();
                parse_prefix(&text)
            }
        };
        if length == 0 {
            return Token::Error("invalid number");
        }
        self.at += length;
        Token::Number(value)
    }

    fn string(&mut self) -> Token<'a> {
        self.at += 1;
        let start = self.at;
        let rest = &self.text[start..];
        match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            Some(length) if rest[length] == b'"' => {
                self.at += length + 1;
                Token::String(Cow::Borrowed(&rest[..length]))
            }
            Some(length) => {
                self.at += length;
                self.escaped_string(rest[..length].to_vec())
            }
            None => {
                self.at = self.text.len();
                self.error("unexpected end of string")
            }
        }
    }

    fn error(&mut self, message: &'static str) -> Token<'a> {
        self.token_at = self.at;
        Token::Error(message)
    }

    fn escaped_string(&mut self, mut value: Vec<u8>) -> Token<'a> {
        loop {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return Token::String(Cow::Owned(value));
                }
                0 => return self.error("unexpected end of string"),
                b'\\' => {
                    let byte = match self.peek(1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        b'u' => {
                            let Some((code, length)) = self.unicode_escape() else {
                                return self.error("invalid unicode escape code");
                            };
                            value.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
                            self.at += length;
                            continue;
                        }
                        _ => return self.error("invalid escape code"),
                    };
                    value.push(byte);
                    self.at += 2;
                }
                byte => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// The four digits of a `\u` that is so far away.
    fn hex4(&self, offset: usize) -> Option<u32> {
        (2..6).try_fold(0, |code, digit| Some(code << 4 | (self.peek(offset + digit) as char).to_digit(16)?))
    }

    /// The character of a `\uXXXX`, or of two that are surrogates, and the bytes it took.
    fn unicode_escape(&self) -> Option<(char, usize)> {
        const LENGTH: usize = 6;
        let code = self.hex4(0)?;
        if code & 0xF800 != 0xD800 {
            return Some((char::from_u32(code)?, LENGTH));
        }
        if self.peek(LENGTH) != b'\\' || self.peek(LENGTH + 1) != b'u' {
            return None;
        }
        let low = self.hex4(LENGTH)?;
        if code & 0x400 != 0 || low & 0xFC00 != 0xDC00 {
            return None;
        }
        let code = ((code & 0x3FF) << 10 | (low & 0x3FF)) + 0x10000;
        Some((char::from_u32(code)?, 2 * LENGTH))
    }
}

/// Length of the decimal number that a text begins with; `None` for what only `strtod` may know.
fn decimal_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(text.first(), Some(b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    if matches!(text.get(end), Some(b'x' | b'X')) {
        return None;
    }
    let mut mantissa = whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        mantissa += fraction;
        end += 1 + fraction;
    }
    if mantissa == 0 {
        return None;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(text.len()));
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    Some(end)
}

/// A structure that is being read: its table lies on the Lua stack.
enum Open {
    Object(c_int),
    Array(c_int, c_int),
}

struct Decoder<'a> {
    state: &'a State,
    lexer: Lexer<'a>,
    max_depth: usize,
    mark_arrays: bool,
    open: Vec<Open>,
}

pub(super) fn decode(state: State) -> Outcome {
    if state.top() != 1 {
        return Err(state.argument_error(1, "expected 1 argument"));
    }
    let text = state.check_bytes(1)?;
    if let [first, second, ..] = text
        && (*first == 0 || *second == 0)
    {
        return Err(state.error("JSON parser does not support UTF-16 or UTF-32"));
    }
    let text = state.c_text(1).unwrap_or_default().to_bytes();
    let allow_invalid_numbers = is_on(&state, Setting::DecodeInvalid);
    let mut decoder = Decoder {
        state: &state,
        lexer: Lexer { text, at: 0, token_at: 0, allow_invalid_numbers },
        max_depth: setting(&state, Setting::DecodeDepth) as usize,
        mark_arrays: is_on(&state, Setting::ArrayMetatable),
        open: Vec::new(),
    };
    decoder.run()?;
    Ok(1)
}

impl<'a> Decoder<'a> {
    /// Pushes the value of the whole text. Does not recurse, since scripts choose the depth.
    fn run(&mut self) -> Result<(), Raise> {
        let mut token = self.lexer.next();
        loop {
            self.state.advance(VALUE, 0)?;
            if let Some(first) = self.begin_value(token)? {
                token = first;
                continue;
            }
            // A value is whole, on top of the stack: it goes where it belongs, which may make that whole.
            match self.finish_values()? {
                Some(next) => token = next,
                None => return Ok(()),
            }
        }
    }

    /// Pushes a value, or opens it and answers the first token of the first value in it.
    fn begin_value(&mut self, token: Token<'a>) -> Result<Option<Token<'a>>, Raise> {
        let state = self.state;
        match token {
            Token::String(text) => state.push_bytes(&text),
            Token::Number(value) => state.push_number(value),
            Token::Boolean(value) => state.push_boolean(value),
            Token::Null => state.push_pointer(std::ptr::null()),
            Token::ObjectBegin => {
                self.descend(3)?;
                state.push_table(0, 0);
                let token = self.lexer.next();
                if !matches!(token, Token::ObjectEnd) {
                    self.open.push(Open::Object(state.top()));
                    return self.key(token).map(Some);
                }
            }
            Token::ArrayBegin => {
                self.descend(2)?;
                state.push_table(0, 0);
                if self.mark_arrays {
                    state.push_value(ARRAY_METATABLE);
                    state.set_metatable(state.top() - 1);
                }
                let token = self.lexer.next();
                if !matches!(token, Token::ArrayEnd) {
                    self.open.push(Open::Array(state.top(), 0));
                    return Ok(Some(token));
                }
            }
            token => return Err(self.unexpected("value", &token)),
        }
        Ok(None)
    }

    /// Puts the value on top into its structure. Answers the first token of the next value; `None` at the end.
    fn finish_values(&mut self) -> Result<Option<Token<'a>>, Raise> {
        let state = self.state;
        loop {
            let Some(open) = self.open.last_mut() else {
                return match self.lexer.next() {
                    Token::End => Ok(None),
                    token => Err(self.unexpected("the end", &token)),
                };
            };
            let is_object = match open {
                Open::Object(table) => {
                    state.raw_set(*table);
                    true
                }
                Open::Array(table, count) => {
                    *count += 1;
                    state.raw_set_index(*table, *count);
                    false
                }
            };
            match (self.lexer.next(), is_object) {
                (Token::ObjectEnd, true) | (Token::ArrayEnd, false) => {
                    self.open.pop();
                }
                (Token::Comma, true) => {
                    let token = self.lexer.next();
                    return self.key(token).map(Some);
                }
                (Token::Comma, false) => return Ok(Some(self.lexer.next())),
                (token, true) => return Err(self.unexpected("comma or object end", &token)),
                (token, false) => return Err(self.unexpected("comma or array end", &token)),
            }
        }
    }

    /// Pushes a key; answers the first token of its value.
    fn key(&mut self, token: Token<'a>) -> Result<Token<'a>, Raise> {
        match token {
            Token::String(key) => self.state.push_bytes(&key),
            token => return Err(self.unexpected("object key string", &token)),
        }
        match self.lexer.next() {
            Token::Colon => Ok(self.lexer.next()),
            token => Err(self.unexpected("colon", &token)),
        }
    }

    fn descend(&self, slots: c_int) -> Result<(), Raise> {
        let depth = self.open.len() + 1;
        if depth <= self.max_depth && self.state.reserve(slots) {
            return Ok(());
        }
        Err(self
            .state
            .error(format_args!("Found too many nested data structures ({depth}) at character {}", self.lexer.at)))
    }

    fn unexpected(&self, expected: &str, token: &Token<'_>) -> Raise {
        let position = self.lexer.token_at + 1;
        self.state.error(format_args!("Expected {expected} but found {} at character {position}", token.name()))
    }
}
