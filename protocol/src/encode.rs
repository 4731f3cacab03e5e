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

fn put_length(out: &mut impl BufMut, prefix: u8, len: usize) {
    out.put_u8(prefix);
    out.put_slice(itoa::Buffer::new().format(len).as_bytes());
    out.put_slice(b"\r\n");
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
}
