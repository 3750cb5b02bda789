//! Scoring all products with one vector, on one thread: our bytes against our f32, onnxruntime and
//! faiss, and against only reading as many bytes, all by turns.

use super::median;
use super::python::Python;
use crate::gallery::kernels::Kernel;
use crate::recommend::rnn::linear::{Linear, Precision};
use serde::Serialize;
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;

const SCRIPT: &str = include_str!("scan.py");
/// Runs of each contender in one round.
const RUNS: usize = 5;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Scan {
    /// Products.
    pub products: usize,
    /// Numbers a product.
    pub columns: usize,
    /// Our fastest kernel for bytes first.
    pub contenders: Vec<Contender>,
    /// What could not be measured, and why.
    pub left_out: Vec<String>,
}

/// One way to score all products.
#[derive(Debug, Serialize)]
pub struct Contender {
    /// What it is.
    pub name: String,
    /// Middle of all runs, in microseconds.
    pub median_us: f64,
    /// The fastest.
    pub min_us: f64,
    /// The median of ours (the first) over this one's: below 1, ours is faster.
    pub ratio: f64,
}

enum Engine {
    Ours(Linear),
    Floor(Vec<u64>),
    Python,
}

struct Running {
    name: String,
    engine: Engine,
    microseconds: Vec<f64>,
}

impl Running {
    fn turn(&mut self, x: &[f32], out: &mut [f32], python: Option<&mut Python>) -> anyhow::Result<()> {
        if let (Engine::Python, Some(python)) = (&self.engine, python) {
            let taken = python.microseconds(&json!({ "run": self.name, "times": RUNS }));
            self.microseconds.extend(taken.map_err(|e| anyhow::anyhow!("{} failed: {e}", self.name))?);
            return Ok(());
        }
        for _ in 0..RUNS {
            let begin = Instant::now();
            match &self.engine {
                Engine::Ours(linear) => {
                    out.fill(0.0);
                    linear.add_to(black_box(x), out);
                    black_box(&out);
                }
                Engine::Floor(words) => {
                    black_box(read(black_box(words)));
                }
                Engine::Python => {}
            }
            self.microseconds.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        Ok(())
    }
}

/// Reads everything once: eight sums side by side, so that adding is no limit.
fn read(words: &[u64]) -> u64 {
    let (chunks, rest) = words.as_chunks::<8>();
    let mut sums = [0u64; 8];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
    }
    sums.iter().chain(rest).fold(0, |all, word| all.wrapping_add(*word))
}

/// Measures, in so many rounds.
pub fn measure(products: usize, columns: usize, rounds: usize) -> anyhow::Result<Scan> {
    let value = |i: usize| ((i.wrapping_mul(2_654_435_761) >> 7) % 2003) as f32 / 1001.0 - 1.0;
    let table: Vec<f32> = (0..products * columns).map(value).collect();
    let x: Vec<f32> = (0..columns).map(|i| value(i * 31 + 7)).collect();
    let running = |name: String, engine| Running { name, engine, microseconds: Vec::new() };
    let mut all: Vec<Running> = Vec::new();
    for kernel in Kernel::available().into_iter().rev() {
        let linear = Linear::new(&table, columns, Precision::Bytes(kernel));
        all.push(running(format!("ours, bytes, {kernel:?}"), Engine::Ours(linear)));
    }
    all.push(running("ours, f32".into(), Engine::Ours(Linear::new(&table, columns, Precision::Float))));
    let words = (0..products * columns.next_multiple_of(8) / 8).map(|i| i as u64).collect();
    all.push(running("only reading the bytes".into(), Engine::Floor(words)));
    let mut left_out = Vec::new();
    let mut python = None;
    match Python::start(SCRIPT) {
        Err(reason) => left_out.push(format!("onnxruntime and faiss: {reason}")),
        Ok(mut started) => {
            let answer =
                started.ask(&json!({ "prepare": [products, columns] })).map_err(anyhow::Error::msg)?;
            let words = |key: &str| -> Vec<String> {
                let list = answer[key].as_array().into_iter().flatten();
                list.filter_map(|w| w.as_str().map(str::to_owned)).collect()
            };
            all.extend(words("names").into_iter().map(|name| running(name, Engine::Python)));
            left_out.extend(words("left_out"));
            python = Some(started);
        }
    }
    let mut out = vec![0.0; products];
    for round in 0..=rounds.max(1) {
        for one in &mut all {
            one.turn(&x, &mut out, python.as_mut())?;
            if round == 0 {
                one.microseconds.clear(); // to warm up
            }
        }
    }
    let ours = median(&all[0].microseconds);
    let contender = |one: &Running| Contender {
        name: one.name.clone(),
        median_us: median(&one.microseconds),
        min_us: one.microseconds.iter().copied().fold(f64::INFINITY, f64::min),
        ratio: ours / median(&one.microseconds).max(1e-9),
    };
    Ok(Scan { products, columns, contenders: all.iter().map(contender).collect(), left_out })
}
