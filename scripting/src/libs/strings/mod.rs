//! The functions of `string` that deal with patterns, and `string.rep`.

mod pattern;

use std::ffi::c_int;

use pattern::{Capture, Failure, Matcher};

use crate::lua::state::upvalue;
use crate::lua::{Kind, Outcome, Raise, State};

/// Replaces the functions in the table `string`.
pub(crate) fn install(state: &State, string: c_int) {
    state.push_function(|state: State| find(state, true));
    state.set_field(string, "find");
    state.push_function(|state: State| find(state, false));
    state.set_field(string, "match");
    for name in ["gmatch", "gfind"] {
        state.push_function(gmatch);
        state.set_field(string, name);
    }
    state.push_function(gsub);
    state.set_field(string, "gsub");
    state.push_function(rep);
    state.set_field(string, "rep");
}

fn raise(state: &State, failure: Failure) -> Raise {
    match failure {
        Failure::Malformed(message) => state.error(message),
        Failure::Stopped => state.ended(),
    }
}

/// Pushes what a capture has caught.
fn push_capture(state: &State, subject: &[u8], capture: Capture) -> Result<(), Raise> {
    match capture {
        Capture::Open(_) => return Err(state.error("unfinished capture")),
        Capture::Closed { start, end } => {
            state.advance(end - start, end - start)?;
            state.push_bytes(&subject[start..end]);
        }
        Capture::Position(at) => state.push_number((at + 1) as f64),
    }
    Ok(())
}

/// Pushes all captures, or the `whole` match where there are none; answers how many values that are.
fn push_captures(
    state: &State,
    subject: &[u8],
    captures: &[Capture],
    whole: Option<(usize, usize)>,
) -> Result<c_int, Raise> {
    let count = captures.len() as c_int;
    state.check_stack(count + 1, "too many captures")?;
    match whole {
        Some((start, end)) if captures.is_empty() => {
            state.push_bytes(&subject[start..end]);
            return Ok(1);
        }
        _ => {}
    }
    for &capture in captures {
        push_capture(state, subject, capture)?;
    }
    Ok(count)
}

fn has_specials(pattern: &[u8]) -> bool {
    pattern.iter().take_while(|&&byte| byte != 0).any(|byte| b"^$*+?.([%-".contains(byte))
}

/// `string.find`, and `string.match` if not `find`.
fn find(state: State, find: bool) -> Outcome {
    let subject = state.check_bytes(1)?;
    let pattern = state.check_bytes(2)?;
    let init = state.optional_integer(3, 1)?;
    let length = subject.len() as i64;
    state.advance(pattern.len(), 0)?;
    let init = if init < 0 { (init + length).max(0) } else { (init - 1).clamp(0, length) } as usize;

    if find && (state.truth(4) || !has_specials(pattern)) {
        state.advance(subject.len() - init, 0)?;
        match memchr::memmem::find(&subject[init..], pattern) {
            Some(offset) => {
                state.push_number((init + offset + 1) as f64);
                state.push_number((init + offset + pattern.len()) as f64);
                return Ok(2);
            }
            None => {
                state.push_nil();
                return Ok(1);
            }
        }
    }
    let (anchored, body) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut keep_going = |work| !state.shared().has_worked(work) || state.shared().poll();
    let mut matcher = Matcher::new(subject, body, &mut keep_going);
    for start in init..=subject.len() {
        if let Some(end) = matcher.match_at(start).map_err(|failure| raise(&state, failure))? {
            if !find {
                return push_captures(&state, subject, matcher.captures(), Some((start, end)));
            }
            state.push_number((start + 1) as f64);
            state.push_number(end as f64);
            return Ok(push_captures(&state, subject, matcher.captures(), None)? + 2);
        }
        if anchored {
            break;
        }
    }
    state.push_nil();
    Ok(1)
}

/// Upvalues of the iterator: subject, pattern, and a table with the place to go on from (as no upvalue can be set).
fn gmatch(state: State) -> Outcome {
    state.check_bytes(1)?;
    state.check_bytes(2)?;
    state.set_top(2);
    state.push_table(1, 0);
    state.push_number(0.0);
    state.raw_set_index(3, 1);
    state.push_closure(gmatch_next, 3);
    Ok(1)
}

fn gmatch_next(state: State) -> Outcome {
    let (Some(subject), Some(pattern)) = (state.bytes(upvalue(1)), state.bytes(upvalue(2))) else { return Ok(0) };
    state.set_top(0);
    state.raw_get_index(upvalue(3), 1);
    let from = state.number(1).unwrap_or_default() as usize;
    let mut keep_going = |work| !state.shared().has_worked(work) || state.shared().poll();
    let mut matcher = Matcher::new(subject, pattern, &mut keep_going);
    for start in from..=subject.len() {
        if let Some(end) = matcher.match_at(start).map_err(|failure| raise(&state, failure))? {
            let next = if end == start { end + 1 } else { end };
            state.push_number(next as f64);
            state.raw_set_index(upvalue(3), 1);
            return push_captures(&state, subject, matcher.captures(), Some((start, end)));
        }
    }
    Ok(0)
}

fn gsub(state: State) -> Outcome {
    let subject = state.check_bytes(1)?;
    let pattern = state.check_bytes(2)?;
    let most = i64::from(state.optional_integer(4, subject.len() as i64 + 1)? as i32);
    if !matches!(state.kind(3), Kind::Number | Kind::String | Kind::Table | Kind::Function) {
        return Err(state.argument_error(3, "string/function/table expected"));
    }
    state.set_top(3);
    let (anchored, body) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut keep_going = |work| !state.shared().has_worked(work) || state.shared().poll();
    let mut matcher = Matcher::new(subject, body, &mut keep_going);
    let mut out = Vec::new();
    let mut at = 0;
    let mut count = 0;
    while count < most {
        let end = matcher.match_at(at).map_err(|failure| raise(&state, failure))?;
        if let Some(end) = end {
            count += 1;
            add_value(&state, &mut out, subject, (at, end), matcher.captures())?;
        }
        match end {
            Some(end) if end > at => at = end,
            _ if at < subject.len() => {
                out.push(subject[at]);
                at += 1;
            }
            _ => break,
        }
        if anchored {
            break;
        }
    }
    out.extend_from_slice(&subject[at..]);
    state.set_top(3);
    state.push_bytes(&out);
    state.push_number(count as f64);
    Ok(2)
}

/// Adds what a match is replaced by.
fn add_value(
    state: &State,
    out: &mut Vec<u8>,
    subject: &[u8],
    (start, end): (usize, usize),
    captures: &[Capture],
) -> Result<(), Raise> {
    match state.kind(3) {
        Kind::Function => {
            state.push_value(3);
            let args = push_captures(state, subject, captures, Some((start, end)))?;
            if let Err(raise) = state.protected_call(args, Some(1), 0) {
                return Err(if state.shared().ending().is_some() { state.ended() } else { raise });
            }
        }
        Kind::Table => {
            match captures.first() {
                Some(&capture) => push_capture(state, subject, capture)?,
                None => state.push_bytes(&subject[start..end]),
            }
            index_table(state)?;
        }
        _ => return add_template(state, out, subject, (start, end), captures),
    }
    match state.kind(4) {
        Kind::Nil => state.append(out, &subject[start..end])?,
        Kind::Boolean if !state.truth(4) => state.append(out, &subject[start..end])?,
        Kind::String | Kind::Number => state.append(out, state.bytes(4).unwrap_or_default())?,
        kind => return Err(state.error(format_args!("invalid replacement value (a {})", kind.name()))),
    }
    state.set_top(3);
    Ok(())
}

/// Replaces the key in place 4 by its value in the table in place 3. Only tables with a metatable take the long way.
fn index_table(state: &State) -> Result<(), Raise> {
    if !state.metatable(3) {
        state.raw_get(3);
        return Ok(());
    }
    state.pop(1);
    crate::lua::guards::push_index_function(state);
    state.insert(4);
    state.push_value(3);
    state.insert(5);
    match state.protected_call(2, Some(1), 0) {
        Err(_) if state.shared().ending().is_some() => Err(state.ended()),
        outcome => outcome,
    }
}

/// Adds a replacement text, with `%n` in it replaced by captures.
fn add_template(
    state: &State,
    out: &mut Vec<u8>,
    subject: &[u8],
    (start, end): (usize, usize),
    captures: &[Capture],
) -> Result<(), Raise> {
    let mut rest = state.bytes(3).unwrap_or_default();
    while let Some(escape) = memchr::memchr(b'%', rest) {
        state.append(out, &rest[..escape])?;
        // Lua reads the zero byte behind a `%` at the end.
        let what = rest.get(escape + 1).copied().unwrap_or(0);
        rest = rest.get(escape + 2..).unwrap_or_default();
        match what {
            b'0' => state.append(out, &subject[start..end])?,
            digit @ b'1'..=b'9' => match captures.get((digit - b'1') as usize) {
                Some(Capture::Open(_)) => return Err(state.error("unfinished capture")),
                Some(&Capture::Closed { start, end }) => state.append(out, &subject[start..end])?,
                Some(&Capture::Position(at)) => state.append(out, (at + 1).to_string().as_bytes())?,
                None if digit == b'1' => state.append(out, &subject[start..end])?,
                None => return Err(state.error("invalid capture index")),
            },
            other => out.push(other),
        }
    }
    state.append(out, rest)
}

fn rep(state: State) -> Outcome {
    let text = state.check_bytes(1)?;
    let count = usize::try_from(state.check_int(2)?).unwrap_or(0);
    let length = text.len().saturating_mul(count);
    state.advance(length, length)?;
    let repeated = text.repeat(count);
    state.push_bytes(&repeated);
    Ok(1)
}
