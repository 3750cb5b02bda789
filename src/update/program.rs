//! Asking another version of this program something: it is run with a limit on time and on how much it
//! may say, so that one that hangs or babbles is a refusal in words.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Most that is listened to, in bytes.
const MOST: u64 = 1 << 20;
/// Lines of its complaint that are passed on.
const LAST_LINES: usize = 12;

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its exit code; `None` if a signal ended it.
    pub(super) code: Option<i32>,
    /// Standard output.
    pub(super) said: String,
    /// Standard error.
    pub(super) complained: String,
}

impl Answer {
    /// The end of what it said, for a person.
    pub(super) fn last_words(&self) -> String {
        let words = if self.complained.trim().is_empty() { &self.said } else { &self.complained };
        let lines: Vec<&str> = words.trim().lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// Runs `program` with `arguments` to its end; why not, in words.
pub(super) fn ask(program: &Path, arguments: &[&str], limit: Duration) -> Result<Answer, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be run: {error}", program.display());
    let mut child = Command::new(program)
        .args(arguments)
        .env("NO_COLOR", "1")
        // A Ctrl-C at the terminal is for the command, which decides when it may end.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let listen = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                // What cannot be read is not said; the rest is taken so that the child does not wait.
                let _ = pipe.by_ref().take(MOST).read_to_end(&mut bytes);
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let said = listen(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let complained = listen(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let begin = Instant::now();
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) => break status,
            None if begin.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                let what = arguments.first().copied().unwrap_or_default();
                return Err(format!("{} {what} did not end within {} s", program.display(), limit.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let heard = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
    Ok(Answer { code: status.code(), said: heard(said), complained: heard(complained) })
}

/// Like [`ask`], for what must end well: everything else is a refusal with its last words.
pub(super) fn must(program: &Path, arguments: &[&str], limit: Duration) -> Result<Answer, String> {
    let answer = ask(program, arguments, limit)?;
    match answer.code {
        Some(0) => Ok(answer),
        _ => Err(answer.last_words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: &str = "/bin/sh";

    #[test]
    fn it_hears_what_is_said_and_how_it_ended() {
        let answer =
            ask(Path::new(SHELL), &["-c", "echo a; echo b >&2; exit 3"], Duration::from_secs(60)).unwrap();
        assert_eq!(answer, Answer { code: Some(3), said: "a\n".into(), complained: "b\n".into() });
        assert_eq!(
            must(Path::new(SHELL), &["-c", "echo why >&2; exit 1"], Duration::from_secs(60)),
            Err("why".into())
        );
    }

    #[test]
    fn one_that_hangs_is_ended_and_one_that_is_not_there_is_said() {
        let slow = ask(Path::new(SHELL), &["-c", "exec sleep 600"], Duration::from_millis(200));
        assert!(slow.unwrap_err().contains("did not end"));
        assert!(
            ask(Path::new("/nowhere/x"), &[], Duration::from_secs(1)).unwrap_err().contains("/nowhere/x")
        );
    }

    #[test]
    fn one_that_babbles_does_not_fill_the_memory() {
        let answer =
            ask(Path::new(SHELL), &["-c", "yes | head -c 3000000"], Duration::from_secs(60)).unwrap();
        assert_eq!(answer.said.len() as u64, MOST);
    }
}
