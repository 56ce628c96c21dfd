//! Parts of the documentation that are made of the program, and stand between two marks.

use std::path::Path;

/// Asserts that a file of `docs/` has `expected` between two marks; with `MMFND_WRITE_DOCS=1` writes it there.
pub fn check(name: &str, [begin, end]: [&str; 2], expected: &str) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let path = docs.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(begin).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    match std::env::var_os("MMFND_WRITE_DOCS") {
        Some(_) => std::fs::write(&path, [before, begin, expected, end, after].concat()).unwrap(),
        None => assert_eq!(
            found, expected,
            "with `MMFND_WRITE_DOCS=1` this test writes it"
        ),
    }
}
