//! `tls-ciphers` and `tls-ciphersuites`: OpenSSL's language for lists of ciphers, over the ciphers that there are here.

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as ring;

use crate::log;

/// A cipher of TLS 1.2.
struct Cipher {
    suite: SupportedCipherSuite,
    /// Its name in OpenSSL, and those of the groups that it belongs to.
    names: [&'static str; 4],
    bits: u32,
}

/// All ciphers of TLS 1.2, the best first.
static CIPHERS: [Cipher; 6] = {
    const fn cipher(suite: SupportedCipherSuite, names: [&'static str; 4], bits: u32) -> Cipher {
        Cipher { suite, names, bits }
    }
    [
        cipher(
            ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            ["ECDHE-ECDSA-AES256-GCM-SHA384", "aECDSA", "AES256", "AESGCM"],
            256,
        ),
        cipher(
            ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            ["ECDHE-RSA-AES256-GCM-SHA384", "aRSA", "AES256", "AESGCM"],
            256,
        ),
        cipher(
            ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            ["ECDHE-ECDSA-CHACHA20-POLY1305", "aECDSA", "CHACHA20", "CHACHA20"],
            256,
        ),
        cipher(
            ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            ["ECDHE-RSA-CHACHA20-POLY1305", "aRSA", "CHACHA20", "CHACHA20"],
            256,
        ),
        cipher(
            ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            ["ECDHE-ECDSA-AES128-GCM-SHA256", "aECDSA", "AES128", "AESGCM"],
            128,
        ),
        cipher(
            ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ["ECDHE-RSA-AES128-GCM-SHA256", "aRSA", "AES128", "AESGCM"],
            128,
        ),
    ]
};

/// Groups that all ciphers of TLS 1.2 belong to.
const ALL: [&str; 8] = ["ALL", "DEFAULT", "HIGH", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH"];

impl Cipher {
    /// Whether a word is its name or that of one of its groups.
    fn is(&self, word: &str) -> bool {
        ALL.contains(&word)
            || self.names.contains(&word)
            || (word == "AES" && self.names.contains(&"AESGCM"))
            || (word == "ECDSA" && self.names.contains(&"aECDSA"))
            || format!("{:?}", self.suite.suite()) == word
    }
}

/// The ciphers of TLS 1.3 in a list of their names; all where it is empty.
pub(super) fn of_tls13(list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let all = [ring::TLS13_AES_256_GCM_SHA384, ring::TLS13_CHACHA20_POLY1305_SHA256, ring::TLS13_AES_128_GCM_SHA256];
    if list.is_empty() {
        return Ok(all.to_vec());
    }
    let name = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
    let mut chosen = Vec::new();
    for word in list.split(':') {
        match all.iter().find(|suite| name(suite) == word) {
            Some(suite) if chosen.contains(suite) => {}
            Some(suite) => chosen.push(*suite),
            None => log::warning!("tls-ciphersuites: {word} is not supported"),
        }
    }
    if chosen.is_empty() { Err(format!("Failed to configure ciphersuites: {list}")) } else { Ok(chosen) }
}

/// The ciphers of TLS 1.2 that a list in OpenSSL's language leaves, in its order; all where it is empty. Words that
/// would add ciphers which are not there are told of.
pub(super) fn of_tls12(list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let chosen = if list.is_empty() { CIPHERS.iter().collect() } else { choose(list) };
    if chosen.is_empty() {
        return Err(format!("Failed to configure ciphers: {list}"));
    }
    Ok(chosen.into_iter().map(|cipher| cipher.suite).collect())
}

fn choose(list: &str) -> Vec<&'static Cipher> {
    let mut chosen: Vec<&'static Cipher> = Vec::new();
    let mut banned = [false; CIPHERS.len()];
    for item in list.split([':', ' ', ',', ';']).filter(|item| !item.is_empty()) {
        if item == "@STRENGTH" {
            chosen.sort_by_key(|cipher| std::cmp::Reverse(cipher.bits));
            continue;
        }
        let (sign, words) = match item.chars().next() {
            Some(sign @ ('!' | '-' | '+')) => (sign, item.get(1..).unwrap_or_default()),
            _ => (' ', item),
        };
        let matches = |cipher: &Cipher| words.split('+').all(|word| cipher.is(word));
        match sign {
            '!' => {
                chosen.retain(|cipher| !matches(cipher));
                banned.iter_mut().zip(&CIPHERS).for_each(|(banned, cipher)| *banned |= matches(cipher));
            }
            '-' => chosen.retain(|cipher| !matches(cipher)),
            // Those that match go to the end, in the order that they have.
            '+' => chosen.sort_by_key(|cipher| matches(cipher)),
            _ => {
                if !CIPHERS.iter().any(matches) {
                    log::warning!("tls-ciphers: {item} is not supported");
                }
                for (cipher, banned) in CIPHERS.iter().zip(banned) {
                    if !banned && matches(cipher) && !chosen.iter().any(|known| known.suite == cipher.suite) {
                        chosen.push(cipher);
                    }
                }
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ciphers that a list leaves, by short names.
    fn left(list: &str) -> Vec<String> {
        let name = |cipher: &&Cipher| cipher.names[0].trim_start_matches("ECDHE-").to_string();
        choose(list).iter().map(name).collect()
    }

    #[test]
    fn lists_are_read_as_openssl_reads_them() {
        let all: Vec<String> = left("ALL");
        assert_eq!(all.len(), CIPHERS.len());
        for list in
            ["DEFAULT", "HIGH:!aNULL:!MD5", "ECDHE", "DEFAULT@NOSUCH:ALL", "DEFAULT:-AES128-SHA256", "kEECDH+TLSv1.2"]
        {
            assert_eq!(left(list), all, "{list}");
        }
        let gcm128 = ["ECDSA-AES128-GCM-SHA256", "RSA-AES128-GCM-SHA256"];
        assert_eq!(left("AES128"), gcm128);
        assert_eq!(left("AES:-AES256"), gcm128);
        assert_eq!(left("ECDHE+AESGCM:!AES256:AES256"), gcm128);
        assert_eq!(left("AES128:AES128+aRSA:ECDSA:@STRENGTH:!CHACHA20:!AES256"), gcm128);
        assert_eq!(left("aRSA:-AES256:+CHACHA20"), ["RSA-AES128-GCM-SHA256", "RSA-CHACHA20-POLY1305"]);
        assert_eq!(
            left("CHACHA20:-CHACHA20:AES256+ECDSA:AES256"),
            ["ECDSA-AES256-GCM-SHA384", "RSA-AES256-GCM-SHA384"]
        );
        assert_eq!(left("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), ["RSA-AES128-GCM-SHA256"]);
        for nothing in ["AES128-SHA256:AES256-SHA256", "foo", ":", "!ALL:ALL", "+", "-", "!", "ALL+", "é+é"] {
            assert_eq!(left(nothing), Vec::<String>::new(), "{nothing}");
        }
    }

    #[test]
    fn lists_that_leave_nothing_are_refused() {
        assert_eq!(of_tls12("foo").err(), Some("Failed to configure ciphers: foo".into()));
        assert_eq!(of_tls13("foo").err(), Some("Failed to configure ciphersuites: foo".into()));
        assert_eq!(of_tls12("").map(|suites| suites.len()), Ok(6));
        let chosen = of_tls13("TLS_CHACHA20_POLY1305_SHA256:foo:TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256");
        assert_eq!(chosen, Ok(vec![ring::TLS13_CHACHA20_POLY1305_SHA256, ring::TLS13_AES_128_GCM_SHA256]));
        assert_eq!(of_tls13("").map(|suites| suites.len()), Ok(3));
    }
}
