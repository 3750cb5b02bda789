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

const LIST: &str = "a list that is not closed, or lacks a comma (it may begin on a line above)";

/// What a message of the parser means to a person, and what to do.
struct Rule {
    /// Any of these in the message.
    messages: &'static [&'static str],
    problem: &'static str,
    help: &'static str,
}

const VALUE_IS_MISSING: Rule = Rule {
    messages: &[],
    problem: "a value is missing",
    help: "write key = value, or put a # before the line",
};
const YES_OR_NO: Rule = Rule {
    messages: &[],
    problem: "neither true nor false",
    help: "write true or false in small letters, and text between double quotes",
};
const HEADER: Rule = Rule {
    messages: &["unclosed table", "unclosed array table"],
    problem: "the header of a section is not well formed",
    help: "write a section as [web], and each camera or display as [[camera]], alone on its line",
};
const RULES: [Rule; 11] = [
    Rule {
        messages: &["must be quoted"],
        problem: "a text without quotes",
        help: "put text between straight double quotes: key = \"text\"",
    },
    Rule {
        messages: &["escape"],
        problem: "a backslash that means nothing here",
        help: "write \\\\ for a backslash, or put the text between single quotes",
    },
    Rule {
        messages: &["basic string", "literal string"],
        problem: "a text that is not closed",
        help: "close it on the same line with the quote that it was opened with",
    },
    Rule {
        messages: &["key with no value", "missing value", "missing assignment"],
        problem: "a key without `= value`",
        help: "write key = value, or put a # before the line",
    },
    Rule { messages: &["extra `=`"], problem: "one = too many", help: "write key = value" },
    Rule {
        messages: &["keys cannot be empty"],
        problem: "a name is missing",
        help: "write key = value, or [section]",
    },
    Rule {
        messages: &["unexpected key or value", "unexpected content"],
        problem: "something behind the end of the value",
        help: "put it on a line of its own, or put a # before a comment",
    },
    Rule {
        messages: &["inline table"],
        problem: "a { ... } that is not well formed",
        help: "write { key = value, key = value }, with a comma between the pairs",
    },
    Rule { messages: &["array"], problem: LIST, help: "write a list as [\"a\", \"b\"]" },
    Rule {
        messages: &["boolean"],
        problem: "neither true nor false",
        help: "write true or false in small letters, and text between double quotes",
    },
    Rule {
        messages: &[
            "float",
            "integer",
            "numeric",
            "number",
            "leading zero",
            "digits",
            "radix",
            "date",
            "time",
        ],
        problem: "not a number",
        help: "put text, addresses and durations between double quotes: \"127.0.0.1:8080\", \"5 s\"",
    },
];

/// One finding for each line that the parser complains about.
///
/// `text` is what the parser read; errors without a place stand at its end.
pub(super) fn findings(source: &Source<'_>, text: &str, errors: &[toml::de::Error]) -> Vec<SyntaxError> {
    let mut found: Vec<SyntaxError> = Vec::new();
    let mut open_list = None;
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let (line, _) = source.position(span.start);
        if found.len() == MOST_LINES {
            break;
        }
        let breaks_the_rest = error.message() != "duplicate key";
        let finding = if breaks_the_rest {
            in_words(error.message(), source.raw(span.clone()), source.line(line))
        } else {
            given_twice(source, line, source.raw(span.clone()))
        };
        // An unclosed list makes a mistake of each line after it: the first is enough.
        let in_a_list = open_list.is_some_and(|last: usize| line <= last + 1);
        if in_a_list || finding.problem == LIST {
            open_list = Some(line);
        }
        let finding = source.place(span, finding);
        if in_a_list || found.iter().any(|earlier| earlier.finding.line == finding.line) {
            continue;
        }
        found.push(SyntaxError { finding, breaks_the_rest });
    }
    found
}

/// A key or section that stands twice, with the line of the other.
fn given_twice(source: &Source<'_>, line: usize, key: &str) -> Finding {
    let own = source.line(line).trim();
    let mut earlier = (1..line).rev().map(|n| (n, source.line(n).trim()));
    let mut finding = if own.starts_with('[') {
        let header = own.split('#').next().unwrap_or(own).trim();
        match earlier.find(|(_, text)| text.starts_with(header)) {
            Some((n, _)) => {
                Finding::error(format!("the section is opened twice (also on {})", source.named(n)))
                    .help("put all its keys under one of the two")
            }
            None => Finding::error("the name of this section is already taken by a key")
                .help("write it once: as a section or as a key"),
        }
    } else {
        let mut own_section = earlier.take_while(|(_, text)| !text.starts_with('['));
        let other = own_section
            .find(|(_, text)| text.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')));
        let other = other.map(|(n, _)| format!(" (also on {})", source.named(n))).unwrap_or_default();
        Finding::error(format!("the key is given twice{other}")).help("keep one of the two lines")
    };
    finding.key = key.to_owned();
    finding
}

/// A message of the parser about `raw`, which stands on `line`.
fn in_words(message: &str, raw: &str, line: &str) -> Finding {
    let applies = |rule: &&Rule| rule.messages.iter().any(|words| message.contains(words));
    let is_header =
        line.trim_start().starts_with('[') && !line.contains('=') && !message.contains("in array");
    let rule = if applies(&&HEADER) || (is_header && !message.contains("array elements")) {
        Some(&HEADER)
    } else if message.contains("must be quoted") && raw.trim().is_empty() {
        Some(&VALUE_IS_MISSING)
    } else if ["yes", "no", "on", "off"].contains(&raw.trim().to_lowercase().as_str()) {
        Some(&YES_OR_NO)
    } else {
        RULES.iter().find(applies)
    };
    match rule {
        Some(rule) => Finding::error(rule.problem).help(rule.help),
        None => Finding::error(format!("this is not TOML: {message}"))
            .help("a line is `[section]`, `key = value` or a `# comment`"),
    }
}
