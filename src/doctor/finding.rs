//! One finding, for a person and for a program. Holds nothing secret and nothing about any person.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Well,
    /// Worth knowing; nothing has to be done.
    Note,
    /// It works, but not well, or not for long.
    Warning,
    /// Something does not work.
    Failed,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Names it in `config/TROUBLESHOOTING.md`.
    pub id: &'static str,
    /// How bad it is.
    pub level: Level,
    /// Of what, e.g. `camera door`.
    pub subject: String,
    /// What was found.
    pub says: String,
    /// What that means for the shop; empty when all is well.
    pub means: String,
    /// What to do; empty when there is nothing to do.
    pub remedy: String,
}

impl Finding {
    fn new(id: &'static str, level: Level, subject: impl Into<String>, says: impl Into<String>) -> Self {
        let (subject, says) = (subject.into(), says.into());
        Finding { id, level, subject, says, means: String::new(), remedy: String::new() }
    }

    /// All is well with `subject`.
    pub fn well(subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new("well", Level::Well, subject, says)
    }

    /// Worth knowing.
    pub fn note(id: &'static str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(id, Level::Note, subject, says)
    }

    /// To be mended soon.
    pub fn warning(id: &'static str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(id, Level::Warning, subject, says)
    }

    /// To be mended now.
    pub fn failed(id: &'static str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(id, Level::Failed, subject, says)
    }

    /// What it means for the shop.
    pub fn means(mut self, means: impl Into<String>) -> Self {
        self.means = means.into();
        self
    }

    /// What to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}
