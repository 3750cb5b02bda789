//! Training between two epochs, as one file: everything that the rest of the training depends on.

use super::optimiser::{Optimiser, Rates};
use crate::recommend::ranker::tensors::{TensorError, Tensors};
use crate::recommend::ranker::weights::{Shape, Weights};

/// Where training stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Fingerprint of receipts, recipe and seed.
    pub identity: String,
    /// Networks that are done.
    pub done: Vec<Weights>,
    /// Epochs done with the next one.
    pub epoch: usize,
    /// Its weights.
    pub weights: Weights,
    /// Its optimiser.
    pub optimiser: Optimiser,
}

impl Checkpoint {
    /// As bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut tensors = Tensors::default();
        let shape = self.weights.shape;
        let rates = self.optimiser.rates;
        let sizes = [shape.items, shape.table, shape.basket, shape.rhythm, shape.repeat[0], shape.repeat[1]];
        let sizes: Vec<String> = sizes.map(|s| s.to_string()).into();
        for (name, value) in [
            ("identity", self.identity.clone()),
            ("done", self.done.len().to_string()),
            ("epoch", self.epoch.to_string()),
            ("sizes", sizes.join(" ")),
            ("taken", self.optimiser.taken.to_string()),
            ("total", self.optimiser.total.to_string()),
        ] {
            tensors.metadata.insert(name.to_owned(), value);
        }
        let mut put = |name: &str, values: &[f32]| tensors.put(name, &[values.len()], values);
        put("rates", &[rates.recurrent, rates.bias, rates.evidence, rates.rest, rates.decay, rates.average]);
        put("weights", &self.weights.values);
        put("first", &self.optimiser.first);
        put("second", &self.optimiser.second);
        put("average", &self.optimiser.average);
        for (number, network) in self.done.iter().enumerate() {
            put(&format!("done{number}"), &network.values);
        }
        tensors.to_bytes()
    }

    /// From the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint, TensorError> {
        let tensors = Tensors::from_bytes(bytes)?;
        let sizes: String = tensors.word("sizes")?;
        let numbers: Vec<usize> = sizes.split(' ').filter_map(|s| s.parse().ok()).collect();
        let [items, table, basket, rhythm, first, second] = numbers[..] else {
            return Err(TensorError::Header(format!("sizes = {sizes:?}")));
        };
        // As many numbers as the file really holds, or the sizes are not believed.
        let shape = Shape { items, table, basket, rhythm, repeat: [first, second] };
        let held = tensors.tensors.get("weights").map_or(0, |t| t.shape.iter().product::<usize>());
        if numbers.iter().any(|n| *n > held) || shape.count() != Some(held) {
            return Err(TensorError::Header(format!("sizes = {sizes:?} do not fit the weights")));
        }
        let read = |name: &str| -> Result<Weights, TensorError> {
            let mut weights = Weights::zeros(shape);
            weights.values.copy_from_slice(tensors.floats(name, held)?);
            Ok(weights)
        };
        let &[recurrent, bias, evidence, rest, decay, average] = tensors.floats("rates", 6)? else {
            return Err(TensorError::Missing("rates".to_owned()));
        };
        let optimiser = Optimiser {
            rates: Rates { recurrent, bias, evidence, rest, decay, average },
            taken: tensors.word("taken")?,
            total: tensors.word("total")?,
            first: tensors.floats("first", held)?.to_vec(),
            second: tensors.floats("second", held)?.to_vec(),
            average: tensors.floats("average", held)?.to_vec(),
        };
        let done: usize = tensors.word("done")?;
        let done = (0..done).map(|n| read(&format!("done{n}"))).collect::<Result<_, _>>()?;
        Ok(Checkpoint {
            identity: tensors.word("identity")?,
            done,
            epoch: tensors.word("epoch")?,
            weights: read("weights")?,
            optimiser,
        })
    }
}
