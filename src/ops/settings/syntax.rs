//! Where the file is not TOML: the parser's findings in an administrator's words, each with what to
//! do. A key given twice is a mistake of the same kind, but the rest of the file is still read.

use super::finding::Finding;
use super::source::Source;

/// More lines with syntax errors are not listed: the file is then something else than TOML.
const MOST_LINES: usize = 20;

/// A syntax error, placed, and whether what follows it in the file can still be trusted.
pub(super) struct SyntaxError {
    pub(super) finding: Finding,
    pub(super) breaks_the_rest: bool,
}

/// One finding for each line that the parser complains about.
pub(super) fn findings(source: &Source<'_>, text: &str, errors: &[toml::de::Error]) -> Vec<SyntaxError> {
    let mut found: Vec<SyntaxError> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let (line, _) = source.position(span.start);
        if found.len() == MOST_LINES {
            break;
        }
        if found.iter().any(|earlier| earlier.finding.line == line) {
            continue;
        }
        let duplicate = error.message() == "duplicate key";
        let mut finding = if duplicate {
            given_twice(source, line, source.raw(span.clone()))
        } else {
            Finding::error(in_words(error.message())).help(remedy(error.message()))
        };
        if duplicate {
            finding.key = source.raw(span.clone()).to_owned();
        }
        found.push(SyntaxError { finding: source.place(span, finding), breaks_the_rest: !duplicate });
    }
    found
}

/// A key or section that stands twice, with the line of the other.
fn given_twice(source: &Source<'_>, line: usize, key: &str) -> Finding {
    let own = source.line(line).trim();
    let is_header = own.starts_with('[');
    let earlier = (1..line).rev().map(|n| (n, source.line(n).trim()));
    let other = if is_header {
        let header = own.split('#').next().unwrap_or(own).trim();
        earlier.filter(|(_, text)| text.starts_with(header)).last()
    } else {
        let mut own_section = earlier.take_while(|(_, text)| !text.starts_with('['));
        own_section.find(|(_, text)| text.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')))
    };
    let other = other.map(|(n, _)| format!(" (also on line {n})")).unwrap_or_default();
    if is_header {
        Finding::error(format!("the section is opened twice{other}")).help("put all its keys under one of the two")
    } else {
        Finding::error(format!("the key is given twice{other}")).help("keep one of the two lines")
    }
}

fn in_words(message: &str) -> String {
    format!("not TOML here: {}", message.replace("newline", "the end of the line"))
}

/// What to do about a message of the parser.
fn remedy(message: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["must be quoted"]) {
        "put text between double quotes: key = \"text\""
    } else if has(&["basic string", "literal string", "string"]) {
        "close the text with the quote it was opened with, on the same line; write \\\\ for a backslash"
    } else if has(&["unclosed table", "unclosed array table"]) {
        "write a section as [section] and an entry of a list as [[camera]], alone on its line"
    } else if has(&["inline table"]) {
        "write { key = value, key = value } with a comma between the pairs"
    } else if has(&["array"]) {
        "write a list as [\"a\", \"b\"], closed with ]"
    } else if has(&["no value", "missing value", "missing assignment"]) {
        "write key = value, or begin the line with # to turn it off"
    } else if has(&["recurse"]) {
        "sections are nested far too deep"
    } else {
        "a line is `[section]`, `key = value` or a `# comment`; text stands between double quotes"
    }
}
