//! The order of text in people's languages, as the C library knows it.

use std::env;
use std::ffi::CString;
use std::ptr;

/// The order of one locale.
pub struct Collation {
    /// `None` for the order of bytes.
    locale: Option<libc::locale_t>,
}

impl Collation {
    /// The order of a locale by its name; the environment's where that is empty, and that of bytes where there is no
    /// such locale.
    pub fn new(name: &str) -> Collation {
        let from_environment = || {
            let variables = ["LC_ALL", "LC_COLLATE", "LANG"].into_iter();
            variables.filter_map(|name| env::var(name).ok()).find(|value| !value.is_empty()).unwrap_or_default()
        };
        let name = if name.is_empty() { from_environment() } else { name.to_owned() };
        if matches!(name.as_str(), "" | "C" | "POSIX") {
            return Collation { locale: None };
        }
        let Ok(name) = CString::new(name) else { return Collation { locale: None } };
        // SAFETY: the name is a C string that outlives the call.
        let locale = unsafe { libc::newlocale(libc::LC_ALL_MASK, name.as_ptr(), ptr::null_mut()) };
        Collation { locale: Some(locale).filter(|locale| !locale.is_null()) }
    }

    /// Writes to `key` bytes that compare with each other as the texts do in this order. As the C library takes it, a
    /// text ends at its first NUL.
    pub fn key(&self, text: &[u8], key: &mut Vec<u8>) {
        let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
        key.clear();
        let Some(locale) = self.locale else { return key.extend_from_slice(text) };
        let terminated = [text, &[0]].concat();
        loop {
            // SAFETY: the text ends with a NUL, and the library writes no more than the capacity that it is told. The
            // locale is in use for this thread only, and only during the call.
            let needed = unsafe {
                let before = libc::uselocale(locale);
                let needed = libc::strxfrm(key.as_mut_ptr().cast(), terminated.as_ptr().cast(), key.capacity());
                libc::uselocale(before);
                needed
            };
            if needed < key.capacity() {
                // SAFETY: so many bytes were written, and a NUL behind them.
                unsafe { key.set_len(needed) };
                return;
            }
            key.reserve(needed + 1);
        }
    }
}

impl Drop for Collation {
    fn drop(&mut self) {
        if let Some(locale) = self.locale {
            // SAFETY: made in `new`, and in use nowhere any more.
            unsafe { libc::freelocale(locale) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(collation: &Collation, text: &[u8]) -> Vec<u8> {
        let mut key = Vec::new();
        collation.key(text, &mut key);
        key
    }

    #[test]
    fn bytes_up_to_a_nul_without_a_locale() {
        for name in ["C", "POSIX", "no such place", "a\0b"] {
            let collation = Collation::new(name);
            assert_eq!(key(&collation, b"Text\xff\0more"), b"Text\xff");
            assert_eq!(key(&collation, b""), b"");
        }
    }

    #[test]
    fn a_locale_has_keys_for_every_text() {
        // Every system has this one, although its order is that of code points.
        let collation = Collation::new("C.UTF-8");
        for text in [&b"a"[..], b"", b"Zoe", b"\xc3\xa9t\xc3\xa9", b"\xff\xfe", &[b'x'; 5000]] {
            let longer = [text, b"y"].concat();
            assert!(key(&collation, text) < key(&collation, &longer), "{}", text.escape_ascii());
        }
    }
}
