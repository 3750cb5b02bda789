//! The text of a configuration, with its drop-ins: from byte offsets to files, lines and columns, and
//! lines as they may be shown. Whatever is quoted from it goes through [`redact`], so that no password of a camera's
//! URL and no inline secret ever reaches a screen or a log.

use super::finding::{Finding, Quote};
use std::ops::Range;

/// Longest value that is quoted whole, in characters.
const LONGEST_VALUE: usize = 60;
/// Longest line that is quoted whole, in characters.
const LONGEST_LINE: usize = 160;

/// The text of a file or of several, one after the other.
pub(super) struct Source<'t> {
    /// Each file's name and the byte offset at which it begins.
    files: Vec<(String, usize)>,
    text: &'t str,
    /// Byte offset at which each line starts.
    starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(super) fn new(file: impl Into<String>, text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { files: vec![(file.into(), 0)], text, starts }
    }

    /// Several files in one text; each begins at its offset, right after a line's end.
    pub(super) fn of_files(files: Vec<(String, usize)>, text: &'t str) -> Self {
        Source { files, ..Source::new("", text) }
    }

    /// The file that a line of the whole text is in, and the line's number there.
    pub(super) fn in_file(&self, line: usize) -> (&str, usize) {
        let start = line.checked_sub(1).and_then(|n| self.starts.get(n)).copied().unwrap_or_default();
        let file = self.files.partition_point(|(_, from)| *from <= start).max(1) - 1;
        let (name, from) = &self.files[file];
        (name, line - self.position(*from).0 + 1)
    }

    /// A line of the whole text as a person finds it: its number, and the file if it is not the first.
    pub(super) fn named(&self, line: usize) -> String {
        let (file, line) = self.in_file(line);
        if file == self.files[0].0 { format!("line {line}") } else { format!("line {line} of {file}") }
    }

    /// Line (from 1) and column in characters (from 1) of a byte offset; offsets past the end or
    /// inside a character count as the place before.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// A line (from 1) without its end; empty past the end.
    pub(super) fn line(&self, line: usize) -> &'t str {
        let Some(start) = line.checked_sub(1).and_then(|n| self.starts.get(n)) else { return "" };
        let rest = &self.text[*start..];
        rest.split('\n').next().unwrap_or_default().trim_end_matches('\r')
    }

    /// Places a finding at a stretch of the text and quotes its line.
    pub(super) fn place(&self, span: Range<usize>, mut finding: Finding) -> Finding {
        let (line, column) = self.position(span.start);
        let (file, in_file) = self.in_file(line);
        finding.file = file.to_owned();
        (finding.line, finding.column) = (in_file, column);
        finding.through = in_file + self.position(span.end.max(span.start)).0 - line;
        let whole = self.line(line);
        let shown: String = redact(whole).chars().map(printable).take(LONGEST_LINE).collect();
        // A line that was redacted is shorter than in the file: the caret stays at or before the
        // first difference.
        let same = shown.chars().zip(whole.chars().map(printable)).take_while(|(a, b)| a == b).count();
        let shown_len = shown.chars().count();
        let caret = (column - 1).min(same).min(shown_len);
        let marked =
            self.text.get(span.start..span.end).map_or(1, |s| s.lines().next().unwrap_or("").chars().count());
        let width = marked.clamp(1, (shown_len - caret).max(1));
        finding.quote = (!whole.trim().is_empty()).then_some(Quote { text: shown, caret, width });
        finding
    }

    /// Places a finding that concerns the whole file.
    pub(super) fn place_nowhere(&self, mut finding: Finding) -> Finding {
        finding.file = self.files[0].0.clone();
        finding
    }

    /// What is written at `span`, fit for a message: one line, cut at 60 characters, no secrets.
    pub(super) fn quote(&self, span: Range<usize>) -> String {
        brief(self.text.get(span).unwrap_or_default())
    }

    /// The text at `span`, raw: for parsing, not for messages.
    pub(super) fn raw(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }
}

/// `text` fit for a message: one line, cut at 60 characters, no secrets.
pub(super) fn brief(text: &str) -> String {
    let mut shown = redact(text);
    if let Some((cut, _)) = shown.char_indices().nth(LONGEST_VALUE) {
        shown.truncate(cut);
        shown.push_str("...");
    }
    shown.chars().map(printable).collect()
}

/// Tabs and control characters take one column and do nothing to a terminal.
fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// A stretch of the file without what is secret: user information and query values of URLs, and
/// all that follows a key that is named like a secret (but not `..._file` and `..._credential`).
pub(super) fn redact(text: &str) -> String {
    let secret = text.match_indices('=').find(|(at, _)| names_a_secret(&text[..*at]));
    match secret {
        Some((at, _)) => redact_urls(&text[..=at]) + " ***",
        None => redact_urls(text),
    }
}

/// Whether the key before an equals sign is named like a secret.
fn names_a_secret(before: &str) -> bool {
    let before = before.trim_end().trim_end_matches(['"', '\'']);
    let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or(before);
    let name = name.to_lowercase();
    let secret =
        ["password", "passwd", "passphrase", "secret", "token"].iter().any(|word| name.contains(word));
    secret && !name.ends_with("_file") && !name.ends_with("_credential")
}

fn redact_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'".contains(c)).unwrap_or(after.len());
        let url = &after[..end];
        let (main, query) = url.split_once('?').map_or((url, false), |(main, _)| (main, true));
        // A password may itself hold '/' or '@' by mistake: all up to the last '@' is hidden.
        let (shown, hidden) = main.rsplit_once('@').map_or((main, false), |(_, host)| (host, true));
        out.push_str(if hidden { "***@" } else { "" });
        out.push_str(shown);
        out.push_str(if query { "?***" } else { "" });
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let source = Source::new("f", "a = 1\nname = \"Tée\" # x\r\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(6), (2, 1));
        let hash = source.text.find('#').unwrap();
        assert_eq!(source.position(hash), (2, 14));
        assert_eq!(source.line(2), "name = \"Tée\" # x");
        assert_eq!(source.position(9999).0, 3);
    }

    #[test]
    fn a_quoted_line_never_shows_a_password() {
        for (line, shown) in [
            ("url = \"rtsp://admin:hunter2@10.0.0.5/live\"", "url = \"rtsp://***@10.0.0.5/live\""),
            ("url = \"rtsp://admin:hun/t@er2@10.0.0.5/live\"", "url = \"rtsp://***@10.0.0.5/live\""),
            ("url = \"http://cam/mjpg?user=a&pwd=hunter2\"", "url = \"http://cam/mjpg?***\""),
            ("password = \"hunter2\"", "password = ***"),
            ("api_token = 'hunter2", "api_token = ***"),
            (
                "mqtt = { user = \"a\", \"password\" = \"hunter2\" }",
                "mqtt = { user = \"a\", \"password\" = ***",
            ),
            ("password_file = \"/etc/p\"", "password_file = \"/etc/p\""),
        ] {
            assert_eq!(redact(line), shown);
        }
    }

    #[test]
    fn the_caret_stays_before_what_was_hidden() {
        let text = "url = \"rtsp://a:hunter2@h/live\" x";
        let source = Source::new("f", text);
        let finding = source.place(text.len() - 1..text.len(), Finding::error("no"));
        let quote = finding.quote.unwrap();
        assert!(quote.caret + quote.width <= quote.text.chars().count());
        assert!(!quote.text.contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_text_and_offset_can_be_placed(text in "\\PC{0,40}(\n\\PC{0,40}){0,3}", a in 0usize..200, b in 0usize..200) {
            let source = Source::new("f", &text);
            let _ = source.place(a..b, Finding::error("x")).to_string();
            let _ = source.quote(a..b);
        }
    }
}
