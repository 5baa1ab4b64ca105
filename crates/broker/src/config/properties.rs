//! Java's property files (`java.util.Properties#load`): `key=value`, `key: value`, `key value`, comments behind `#` or
//! `!`, lines continued by a backslash, and the escapes `\t \n \r \f \uXXXX`.

/// The pairs of a property file in their order, the last of equal keys included.
pub fn parse_properties(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut logical = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if logical.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        if line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
            logical.push_str(line.get(..line.len() - 1).unwrap_or_default());
            continue;
        }
        logical.push_str(line);
        pairs.push(split_pair(&logical));
        logical.clear();
    }
    if !logical.is_empty() {
        pairs.push(split_pair(&logical));
    }
    pairs
}

/// Splits at the first separator that is not escaped.
fn split_pair(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, character)| {
            let separator = !escaped && (matches!(character, '=' | ':') || character.is_whitespace());
            escaped = !escaped && *character == '\\';
            separator
        })
        .map_or(line.len(), |(index, _)| index);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    (unescape(key), unescape(value))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// The candidate with the fewest edits to `name`, if it is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_ascii_lowercase();
    candidates
        .map(|candidate| (edit_distance(&wanted, &candidate.to_ascii_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= (name.len() / 3).max(2))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in bytes.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        let mut previous = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(right.bytes()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(previous + 1);
            previous = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_java_reads_are_read() {
        let text =
            "# comment\n! another\n\n a = b \nc:d\ne f\npath=C\\:\\\\data\nlong=one,\\\n   two\nempty\nu=\\u0041\n";
        let pairs = parse_properties(text);
        let expected =
            [("a", "b "), ("c", "d"), ("e", "f"), ("path", "C:\\data"), ("long", "one,two"), ("empty", ""), ("u", "A")];
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        let names = ["listenPort", "brokerName", "flushDiskType"];
        assert_eq!(nearest("listenport", names.into_iter()), Some("listenPort"));
        assert_eq!(nearest("flushDiscType", names.into_iter()), Some("flushDiskType"));
        assert_eq!(nearest("colour", names.into_iter()), None);
    }
}
