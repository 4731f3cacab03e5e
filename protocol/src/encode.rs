//! Requests as bytes: for whatever speaks to a server, the append-only file among them.

use bytes::BufMut;

/// Appends a request with these arguments, as an array of bulk strings.
pub fn encode_command<I>(out: &mut impl BufMut, args: I)
where
    I: IntoIterator<Item: AsRef<[u8]>, IntoIter: ExactSizeIterator>,
{
    let args = args.into_iter();
    put_length(out, b'*', args.len());
    for arg in args {
        let arg = arg.as_ref();
        put_length(out, b'$', arg.len());
        out.put_slice(arg);
        out.put_slice(b"\r\n");
    }
}

#[inline]
fn put_length(out: &mut impl BufMut, prefix: u8, len: usize) {
    // Nearly all are short, and the log of changes is full of them: one write instead of three.
    match len {
        0..10 => out.put_slice(&[prefix, b'0' + len as u8, b'\r', b'\n']),
        10..100 => out.put_slice(&[prefix, b'0' + (len / 10) as u8, b'0' + (len % 10) as u8, b'\r', b'\n']),
        _ => {
            out.put_u8(prefix);
            out.put_slice(itoa::Buffer::new().format(len).as_bytes());
            out.put_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::encode_command;

    #[test]
    fn writes_arrays_of_bulk_strings() {
        let mut out = Vec::new();
        encode_command(&mut out, ["SET", "k", ""]);
        encode_command(&mut out, [b"\r\n"]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1\r\n$2\r\n\r\n\r\n");
    }

    #[test]
    fn lengths_of_any_number_of_digits() {
        for len in [0, 9, 10, 57, 99, 100, 12345] {
            let mut out = Vec::new();
            encode_command(&mut out, [vec![b'x'; len]]);
            assert_eq!(out, [format!("*1\r\n${len}\r\n").into_bytes(), vec![b'x'; len], b"\r\n".to_vec()].concat());
        }
    }
}
