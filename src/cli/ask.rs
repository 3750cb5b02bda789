//! Asking before what cannot be undone: a word must be typed, so that no habit of pressing Enter
//! does it. Without a terminal nobody can be asked, and `--yes` must have been given.

use anyhow::{Context, bail};
use std::io::{BufRead, IsTerminal, Write};

/// Asks `question` and whether `word` is typed.
pub fn agreed(question: &str, word: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{question} Nobody can be asked here: add --yes to do it without being asked");
    }
    print!("{question} Type \"{word}\": ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim() == word)
}
