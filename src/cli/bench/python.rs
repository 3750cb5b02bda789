//! A child `python3` that runs what it is asked to run, one JSON object a line each way, so that what
//! exists only there can be measured by turns with ours. The program itself never needs it.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Longest answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 1 << 20;

/// A running child.
pub struct Python {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it said when it was ready.
    pub hello: Value,
}

impl Python {
    /// Starts a script; the error says what is missing.
    pub fn start(script: &str) -> Result<Python, String> {
        let spawned = Command::new("python3")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = spawned.map_err(|e| format!("python3 does not start: {e}"))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("python3 has no standard input and output".into());
        };
        let mut python = Python { child, questions, answers: BufReader::new(answers), hello: Value::Null };
        python.hello = python.answer()?;
        Ok(python)
    }

    /// Asks, and waits for the answer; what the script calls an error is one.
    pub fn ask(&mut self, question: &Value) -> Result<Value, String> {
        writeln!(self.questions, "{question}").map_err(|e| format!("python3 has gone: {e}"))?;
        self.answer()
    }

    /// Asks something that answers with the microseconds that each of several runs took.
    pub fn microseconds(&mut self, question: &Value) -> Result<Vec<f64>, String> {
        let answer = self.ask(question)?;
        let taken =
            answer["microseconds"].as_array().map(|all| all.iter().filter_map(Value::as_f64).collect());
        taken.ok_or_else(|| format!("it answered {answer}"))
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        let mut limited = (&mut self.answers).take(ANSWER_LIMIT);
        limited.read_line(&mut line).map_err(|e| format!("python3 does not answer: {e}"))?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|_| "python3 ended without an answer".to_owned())?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
