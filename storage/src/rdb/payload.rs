//! Payloads of DUMP and RESTORE: a value, the version of the format, and a checksum.

use super::save::version_of;
use super::write::Writer;
use super::{
    Checksum, Cursor, Error, Limits, Loaded, VERSION, VERSION_OF_7_0, kind_of, load_value, opcode, save_value,
};
use crate::value::Value;

/// Bytes of the version, and of the checksum behind it.
const VERSION_LEN: usize = 2;
const CHECKSUM_LEN: usize = 8;

/// Why a payload is not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PayloadError {
    /// It is of a later version, or was damaged on the way.
    Footer,
    /// What it holds is no value.
    Content(Error),
}

/// A value as a payload; `None` if there is nothing left of it but fields that have expired.
pub fn dump(value: Value<'_>, compress: bool) -> Option<Vec<u8>> {
    if matches!(value, Value::Hash(hash) if hash.is_empty()) {
        return None;
    }
    let form = kind_of(value);
    let mut payload = vec![form];
    save_value(&mut payload, value, compress);
    Some(sealed(payload, version_of(form)))
}

/// The value of a payload.
pub fn restore(payload: &[u8], limits: &Limits, check: bool) -> Result<Loaded, PayloadError> {
    let mut cursor = Cursor::new(opened(payload, check)?);
    let loaded = cursor.byte().and_then(|form| load_value(&mut cursor, form, limits)).map_err(PayloadError::Content)?;
    match cursor.left() {
        0 => Ok(loaded),
        _ => Err(PayloadError::Content(Error::Corrupt("Bytes behind the value"))),
    }
}

/// The texts of libraries of functions as a payload.
pub fn dump_functions<'a>(libraries: impl Iterator<Item = &'a [u8]>, compress: bool) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut out = Writer::new(&mut payload, compress);
    for code in libraries {
        out.byte(opcode::FUNCTION_2);
        out.raw(code);
    }
    sealed(payload, VERSION_OF_7_0)
}

/// The texts of the libraries in a payload; otherwise what FUNCTION RESTORE answers.
pub fn restore_functions(payload: &[u8], check: bool) -> Result<Vec<Vec<u8>>, PayloadError> {
    let mut cursor = Cursor::new(opened(payload, check)?);
    let mut libraries = Vec::new();
    while cursor.left() > 0 {
        let form = cursor.byte().map_err(PayloadError::Content)?;
        libraries.push(load_function(&mut cursor, form).map_err(PayloadError::Content)?);
    }
    Ok(libraries)
}

/// Reads the text of a library, of which the number of its form was read.
pub fn load_function(from: &mut Cursor<'_>, form: u8) -> Result<Vec<u8>, Error> {
    match form {
        opcode::FUNCTION_2 => from.string().map(|code| code.into_owned()),
        // Before Redis 7.0 came out, name and engine stood beside the code.
        opcode::FUNCTION => {
            let (name, engine) = (from.string()?, from.string()?);
            if from.count()? != 0 {
                // Its description.
                from.string()?;
            }
            let code = from.string()?;
            Ok([b"#!", &engine[..], b" name=", &name, b"\n", &code].concat())
        }
        _ => Err(Error::UnknownKind(form)),
    }
}

fn sealed(mut payload: Vec<u8>, version: u16) -> Vec<u8> {
    payload.extend_from_slice(&version.to_le_bytes());
    let checksum = Checksum::of(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// What stands before the version and the checksum, which must be right.
fn opened(payload: &[u8], check: bool) -> Result<&[u8], PayloadError> {
    let (rest, checksum) = payload.split_last_chunk::<CHECKSUM_LEN>().ok_or(PayloadError::Footer)?;
    let (content, version) = rest.split_last_chunk::<VERSION_LEN>().ok_or(PayloadError::Footer)?;
    let is_known = u16::from_le_bytes(*version) <= VERSION;
    let is_whole = !check || u64::from_le_bytes(*checksum) == Checksum::of(rest);
    if is_known && is_whole { Ok(content) } else { Err(PayloadError::Footer) }
}
