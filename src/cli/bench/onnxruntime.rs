//! The usual runtime beside ours: a child `python3` with onnxruntime that runs what it is asked to
//! run, on one thread, between our own runs. The program itself never needs it.

use super::python::Python;
use crate::vision::card::Card;
use serde_json::json;
use std::path::Path;

const SCRIPT: &str = include_str!("onnxruntime.py");

/// A running child.
pub struct Onnxruntime {
    python: Python,
    /// onnxruntime's version.
    pub version: String,
}

impl Onnxruntime {
    /// Starts it; the error says what is missing.
    pub fn start() -> Result<Onnxruntime, String> {
        let python = Python::start(SCRIPT)?;
        let version = python.hello["version"].as_str().unwrap_or("of unknown version").to_owned();
        Ok(Onnxruntime { python, version })
    }

    /// Loads a network with the golden input of its card; gives its number.
    pub fn load(&mut self, file: &Path, card: &Card) -> Result<u64, String> {
        let input = &card.input;
        let answer = self.python.ask(&json!({
            "load": file, "input": input.name, "shape": input.shape, "mean": input.mean, "scale": input.scale,
        }))?;
        answer["model"].as_u64().ok_or_else(|| format!("it answered {answer}"))
    }

    /// Runs a loaded network `times` times; microseconds of each.
    pub fn run(&mut self, model: u64, times: usize) -> Result<Vec<f64>, String> {
        self.python.microseconds(&json!({ "run": model, "times": times }))
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
