//! A mistake or a warning as an administrator reads it: the file, the line, the key, what stands
//! there, what is expected, and the nearest valid word. All findings of one file are collected and
//! shown together, in the order of their lines. A finding never holds a secret: the lines and
//! values it quotes went through [`super::source::redact`].

use serde::Serialize;
use std::fmt;

/// Whether a finding stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It works, but perhaps not as meant.
    Warning,
}

/// One mistake or warning, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1; 0 when it concerns the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 when it concerns the file as a whole.
    pub column: usize,
    /// Full path of the key, e.g. `camera[2].url` (entries counted from 1); empty for the file.
    pub key: String,
    /// What stands there, as written; secrets as `***`.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// Type, range, unit or choices.
    pub expected: Option<String>,
    /// What was probably meant, or what to do.
    pub help: Option<String>,
    /// The line as it may be printed, and where the caret goes.
    #[serde(skip)]
    pub(super) quote: Option<Quote>,
    /// The line on which the quoted stretch ends.
    #[serde(skip)]
    pub(super) through: usize,
    /// Whether it rests on the whole file having been read (something missing, a reference to
    /// another section), so that it means nothing while the file has syntax errors.
    #[serde(skip)]
    pub(super) rests_on_whole: bool,
}

/// One line of the file, with a stretch of it marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) text: String,
    pub(super) caret: usize,
    pub(super) width: usize,
}

/// What [`super::Settings::load`] returns beside the settings: findings that do not stop the program.
pub type Warning = Finding;

impl Finding {
    /// An error that is not yet placed in a file.
    pub(super) fn error(problem: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Error,
            file: String::new(),
            line: 0,
            column: 0,
            key: String::new(),
            value: None,
            problem: problem.into(),
            expected: None,
            help: None,
            quote: None,
            through: 0,
            rests_on_whole: false,
        }
    }

    /// A warning that is not yet placed in a file.
    pub(super) fn warning(problem: impl Into<String>) -> Self {
        Finding { severity: Severity::Warning, ..Finding::error(problem) }
    }

    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn rests_on_whole(mut self) -> Self {
        self.rests_on_whole = true;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(match self.severity {
            Severity::Error => ": error: ",
            Severity::Warning => ": warning: ",
        })?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)?;
        let gutter = self.line.to_string().len();
        if let Some(quote) = &self.quote {
            write!(f, "\n{:gutter$} |\n{} | {}", "", self.line, quote.text)?;
            write!(f, "\n{:gutter$} | {:caret$}{}", "", "", "^".repeat(quote.width), caret = quote.caret)?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "\n{:gutter$} = expected {expected}", "")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{:gutter$} = {help}", "")?;
        }
        Ok(())
    }
}

/// Every mistake of a configuration (at least one), with the warnings found on the way, in the
/// order of their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    pub(super) findings: Vec<Finding>,
}

impl Mistakes {
    /// Errors and warnings in the order of their lines.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The errors alone.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.severity == Severity::Error)
    }

    /// `{"ok": false, "errors": [...], "warnings": [...]}`, each finding with the fields of [`Finding`].
    pub fn to_json(&self) -> serde_json::Value {
        let warnings: Vec<_> = self.findings.iter().filter(|f| f.severity == Severity::Warning).collect();
        serde_json::json!({ "ok": false, "errors": self.errors().collect::<Vec<_>>(), "warnings": warnings })
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            write!(f, "{finding}\n\n")?;
        }
        let errors = self.errors().count();
        let warnings = self.findings.len() - errors;
        f.write_str("the configuration has ")?;
        count(f, errors, "error")?;
        if warnings > 0 {
            f.write_str(" and ")?;
            count(f, warnings, "warning")?;
        }
        f.write_str("; nothing was changed")
    }
}

fn count(f: &mut fmt::Formatter<'_>, n: usize, what: &str) -> fmt::Result {
    write!(f, "{n} {what}{}", if n == 1 { "" } else { "s" })
}

impl std::error::Error for Mistakes {}
