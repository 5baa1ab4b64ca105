//! What Apache's classes wrote, read and written again. The files come from `__test__/interop/java/GoldenGenerator.java`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

mod bodies;
mod compressed;
mod frames;
mod records;
mod signed;
mod texts;

/// Lines of a golden file: name, and what follows the first blank.
fn lines(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    file.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| line.split_once(' ').unwrap())
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The bytes of that name.
fn bytes(file: &'static str, name: &str) -> Vec<u8> {
    unhex(text(file, name))
}

/// The text of that name.
fn text(file: &'static str, name: &str) -> &'static str {
    lines(file).find(|(found, _)| *found == name).map(|(_, text)| text).expect(name)
}

/// `UNICODE` of the generator.
const UNICODE: &str = "grüße 世界 \u{1F680} \"quoted\" back\\slash /slash tab\tnew\nline\u{1}\u{2}\u{7f}\u{2028}";
const TIME: i64 = 1_700_000_000_000;
