//! LCS: the longest common subsequence of two strings.

use super::string_of;
use crate::command::{CommandResult, Context, Error};

struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: usize,
}

/// A stretch that both strings have: where it begins in each, and its length.
struct Match {
    a: usize,
    b: usize,
    len: usize,
}

pub(super) fn lcs(cx: &mut Context<'_>) -> CommandResult {
    let (a, b) = (bytes_of(cx, 1)?, bytes_of(cx, 2)?);
    let options = parse(cx)?;
    if options.len && options.idx {
        return Err(Error::fixed("ERR If you want both the length and indexes, please just use IDX."));
    }
    let too_large = || Error::fixed("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    let cells = (a.len() + 1).checked_mul(b.len() + 1).ok_or_else(too_large)?;
    if cells.saturating_mul(4) > cx.server.config.proto_max_bulk_len() as usize {
        return Err(too_large());
    }
    let mut table = Vec::new();
    table
        .try_reserve_exact(cells)
        .map_err(|_| Error::fixed("ERR Insufficient memory, failed allocating transient memory for LCS"))?;
    table.resize(cells, 0u32);
    fill(&mut table, &a, &b);
    let length = table[cells - 1];
    if options.len {
        cx.reply.integer(length.into());
        return Ok(());
    }
    let (common, matches) = walk_back(&table, &a, &b, length as usize);
    if !options.idx {
        cx.reply.bulk(&common);
        return Ok(());
    }
    cx.reply.map(2);
    cx.reply.bulk(b"matches");
    let shown: Vec<&Match> = matches.iter().filter(|found| found.len >= options.min_match_len).collect();
    cx.reply.array(shown.len());
    for Match { a, b, len } in shown {
        cx.reply.array(2 + usize::from(options.with_match_len));
        for start in [a, b] {
            cx.reply.array(2);
            cx.reply.integer(*start as i64);
            cx.reply.integer((start + len - 1) as i64);
        }
        if options.with_match_len {
            cx.reply.integer(*len as i64);
        }
    }
    cx.reply.bulk(b"len");
    cx.reply.integer(length.into());
    Ok(())
}

fn bytes_of(cx: &mut Context<'_>, index: usize) -> Result<Vec<u8>, Error> {
    let key = cx.key(index);
    let Some(entry) = cx.db.read(&key) else { return Ok(Vec::new()) };
    let wrong = |_| Error::fixed("ERR The specified keys must contain string values");
    Ok(string_of(&entry).map_err(wrong)?.bytes(&mut itoa::Buffer::new()).to_vec())
}

fn parse(cx: &Context<'_>) -> Result<Options, Error> {
    let mut options = Options { len: false, idx: false, with_match_len: false, min_match_len: 0 };
    let mut index = 3;
    while index < cx.args.len() {
        if cx.arg_is(index, "idx") {
            options.idx = true;
        } else if cx.arg_is(index, "len") {
            options.len = true;
        } else if cx.arg_is(index, "withmatchlen") {
            options.with_match_len = true;
        } else if cx.arg_is(index, "minmatchlen") && index + 1 < cx.args.len() {
            options.min_match_len = cx.integer(index + 1)?.max(0) as usize;
            index += 1;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    Ok(options)
}

/// Cell (i, j) becomes the length for the first i bytes of `a` and j bytes of `b`.
fn fill(table: &mut [u32], a: &[u8], b: &[u8]) {
    let width = b.len() + 1;
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            table[i * width + j] = if a[i - 1] == b[j - 1] {
                table[(i - 1) * width + j - 1] + 1
            } else {
                table[(i - 1) * width + j].max(table[i * width + j - 1])
            };
        }
    }
}

/// The subsequence and its unbroken stretches, last first.
fn walk_back(table: &[u32], a: &[u8], b: &[u8], length: usize) -> (Vec<u8>, Vec<Match>) {
    let width = b.len() + 1;
    let (mut i, mut j) = (a.len(), b.len());
    let mut common = Vec::with_capacity(length);
    let mut matches: Vec<Match> = Vec::new();
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            common.push(a[i]);
            match matches.last_mut() {
                Some(last) if last.a == i + 1 && last.b == j + 1 => {
                    (last.a, last.b) = (i, j);
                    last.len += 1;
                }
                _ => matches.push(Match { a: i, b: j, len: 1 }),
            }
        } else if table[(i - 1) * width + j] > table[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    common.reverse();
    (common, matches)
}
