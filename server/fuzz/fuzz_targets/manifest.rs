//! Any bytes as a manifest of the append-only log: what is accepted is read again as it was once it is written anew,
//! names no file outside its folder, and still does after a rewrite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use server::persistence::aof::manifest::Manifest;

/// What is written is read as the same, but for the numbers of files that nobody names any more.
fn check(manifest: &Manifest) {
    // A name that is too long once it is quoted is not written.
    let Ok(text) = manifest.text() else { return };
    if text.is_empty() {
        return;
    }
    let again = Manifest::read(text.as_bytes()).expect("what was written can be read");
    assert_eq!(again.text().as_deref(), Ok(&*text));
    assert_eq!(
        (&again.base, &again.increments, &again.history),
        (&manifest.base, &manifest.increments, &manifest.history)
    );
    for file in manifest.files().chain(&manifest.history) {
        assert!(!file.name.contains(['/', '\\']), "{}", file.name);
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(mut manifest) = Manifest::read(data) else { return };
    check(&manifest);
    let before: Vec<String> = manifest.files().chain(&manifest.history).map(|file| file.name.clone()).collect();
    let new = [manifest.new_base("log", true), manifest.new_increment("log")];
    manifest.retire_increments(1);
    check(&manifest);
    assert!(new.iter().all(|name| !before.contains(name)));
    assert!(manifest.files().map(|file| &file.name).eq(&new));
    assert_eq!(manifest.history.len(), before.len());
});
