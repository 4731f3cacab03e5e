//! The dashboard: one page, which talks to the server by the same requests as any other client and holds no data.
//! Only what it shows about many keys (`keys.rs`) and of a value (`value.rs`) has paths of its own.

mod keys;
mod look;
mod value;

use std::sync::LazyLock;

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS};
use sha2::{Digest, Sha256};

use super::answer::{Answer, answer};
pub use keys::keys;
pub use value::value;

const STYLE: &str = include_str!("style.css");
/// Its parts use each other's names, so their order does not matter, but that the last one begins.
const SCRIPT: &str = concat!(
    include_str!("api.js"),
    include_str!("show.js"),
    include_str!("figures.js"),
    include_str!("sample.js"),
    include_str!("browser.js"),
    include_str!("main.js"),
);

static PAGE: LazyLock<String> =
    LazyLock::new(|| include_str!("page.html").replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT));

/// The browser runs and applies what is in the page and nothing else, and talks to nobody but this server.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    // Without a policy the page does nothing at all.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// The page.
pub fn page() -> Answer {
    let mut page = answer(StatusCode::OK, "text/html; charset=utf-8", PAGE.as_str());
    let headers = page.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
        assert!(PAGE.contains(STYLE) && PAGE.contains(SCRIPT));
        assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style") && !PAGE.contains("/*S"));
        assert!(!PAGE.contains("https://") && !SCRIPT.contains("innerHTML") && !SCRIPT.contains("eval("));
    }
}
