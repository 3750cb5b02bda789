//! The usual runtime beside ours: a child `python3` with onnxruntime that runs what it is asked to
//! run, on one thread, between our own runs. The program itself never needs it.

use crate::vision::card::Card;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("onnxruntime.py");
/// Longest answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 1 << 20;

/// A running child.
pub struct Onnxruntime {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// onnxruntime's version.
    pub version: String,
}

impl Onnxruntime {
    /// Starts it; the error says what is missing.
    pub fn start() -> Result<Onnxruntime, String> {
        let spawned = Command::new("python3")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = spawned.map_err(|e| format!("python3 does not start: {e}"))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("python3 has no standard input and output".into());
        };
        let mut runtime =
            Onnxruntime { child, questions, answers: BufReader::new(answers), version: String::new() };
        let hello = runtime.answer()?;
        runtime.version = hello["version"].as_str().unwrap_or("of unknown version").to_owned();
        Ok(runtime)
    }

    /// Loads a network with the golden input of its card; gives its number.
    pub fn load(&mut self, file: &Path, card: &Card) -> Result<u64, String> {
        let input = &card.input;
        let answer = self.ask(&json!({
            "load": file, "input": input.name, "shape": input.shape, "mean": input.mean, "scale": input.scale,
        }))?;
        answer["model"].as_u64().ok_or_else(|| format!("it answered {answer}"))
    }

    /// Runs a loaded network `times` times; microseconds of each.
    pub fn run(&mut self, model: u64, times: usize) -> Result<Vec<f64>, String> {
        let answer = self.ask(&json!({ "run": model, "times": times }))?;
        let taken =
            answer["microseconds"].as_array().map(|all| all.iter().filter_map(Value::as_f64).collect());
        taken.ok_or_else(|| format!("it answered {answer}"))
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        writeln!(self.questions, "{question}").map_err(|e| format!("python3 has gone: {e}"))?;
        self.answer()
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

impl Drop for Onnxruntime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::references;

    #[test]
    fn it_times_our_network_or_says_what_is_missing() {
        let mut runtime = match Onnxruntime::start() {
            Ok(runtime) => runtime,
            Err(reason) => {
                assert!(!reason.is_empty());
                println!("left out: onnxruntime ({reason})");
                return;
            }
        };
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let card = references::read(&models.join("embedder.toml")).unwrap();
        let model = runtime.load(&models.join(&card.file), &card).unwrap();
        let times = runtime.run(model, 3).unwrap();
        assert!(times.len() == 3 && times.iter().all(|t| *t > 0.0), "{times:?}");
        let error = runtime.load(Path::new("/nowhere.onnx"), &card).unwrap_err();
        assert!(error.contains("nowhere"), "{error}");
        assert!(runtime.run(model, 1).is_ok(), "a refusal does not end it");
    }
}
