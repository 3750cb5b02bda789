//! A model as a file: matrices as bytes with one scale a row, the rest as they are. What is read back
//! is exactly what the bytes say, so a model serves the same after a restart.

use super::evidence::TERMS;
use super::item_table::ItemTable;
use super::model::Learned;
use super::tensors::{Numbers, Tensor, TensorError, Tensors};
use super::weights::{Part, Shape, Weights};

/// What kind of file it is, and which generation.
const KIND: &str = "shopguide ranker 3";
/// The most of anything that a file may speak of: a bound on memory, far above any store.
const MOST: usize = 1 << 24;

/// Parts that are read as single rows stay floating point: too few numbers to save anything.
fn as_bytes(rows: usize) -> bool {
    rows > 1
}

/// Puts a matrix, given by input, in as bytes with one scale for each output.
fn put_bytes(tensors: &mut Tensors, name: &str, values: &[f32], columns: usize) {
    let rows = values.len() / columns.max(1);
    let mut bytes = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(rows);
    for row in values.chunks_exact(columns) {
        let largest = row.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        bytes.extend(row.iter().map(|v| (v / scale).round() as i8));
        scales.push(scale);
    }
    let tensor = Tensor { shape: vec![rows, columns], numbers: Numbers::I8(bytes) };
    tensors.tensors.insert(name.to_owned(), tensor);
    tensors.put(&format!("{name}.scale"), &[rows], &scales);
}

fn take_bytes(tensors: &Tensors, name: &str, rows: usize, columns: usize) -> Result<Vec<f32>, TensorError> {
    let scales = tensors.floats(&format!("{name}.scale"), rows)?;
    match tensors.tensors.get(name).map(|t| &t.numbers) {
        Some(Numbers::I8(bytes)) if bytes.len() == rows * columns => {
            let rows = bytes.chunks_exact(columns.max(1)).zip(scales);
            Ok(rows.flat_map(|(row, scale)| row.iter().map(move |b| f32::from(*b) * scale)).collect())
        }
        Some(_) => Err(TensorError::Tensor(name.to_owned(), "not of the type or size expected")),
        None => Err(TensorError::Missing(name.to_owned())),
    }
}

fn turned(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect()
}

impl Learned {
    /// As bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_tensors().to_bytes()
    }

    /// As tensors, to which whoever keeps them may add.
    pub fn to_tensors(&self) -> Tensors {
        let mut tensors = Tensors::default();
        let mut word = |name: &str, value: String| tensors.metadata.insert(name.to_owned(), value);
        word("kind", KIND.to_owned());
        word("networks", self.networks.len().to_string());
        word("items", (self.table.values.len() / self.table.columns.max(1)).to_string());
        word("table", self.table.columns.to_string());
        if let Some(first) = self.networks.first() {
            word("basket", first.shape.basket.to_string());
            word("rhythm", first.shape.rhythm.to_string());
            word("repeat_first", first.shape.repeat[0].to_string());
            word("repeat_second", first.shape.repeat[1].to_string());
        }
        tensors.put("emphasis", &[TERMS], &self.emphasis);
        put_bytes(&mut tensors, "item_table", &self.table.values, self.table.columns);
        for (number, network) in self.networks.iter().enumerate() {
            for part in Part::ALL {
                let (rows, columns) = network.shape.of(part);
                let name = format!("network{number}.{}", part.name());
                if as_bytes(rows) {
                    // One scale an output: the matrix turned.
                    put_bytes(&mut tensors, &name, &turned(network.of(part), columns), rows);
                } else {
                    tensors.put(&name, &[columns], network.of(part));
                }
            }
        }
        tensors
    }

    /// From the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Learned, TensorError> {
        Learned::from_tensors(&Tensors::from_bytes(bytes)?)
    }

    /// From tensors, whatever else is among them.
    pub fn from_tensors(tensors: &Tensors) -> Result<Learned, TensorError> {
        let kind: String = tensors.word("kind")?;
        if kind != KIND {
            return Err(TensorError::Header(format!("kind {kind:?}, expected {KIND:?}")));
        }
        let size = |name: &str| {
            let value: usize = tensors.word(name)?;
            if (1..=MOST).contains(&value) {
                Ok(value)
            } else {
                Err(TensorError::Header(format!("{name} = {value}")))
            }
        };
        let shape = Shape {
            items: size("items")?,
            table: size("table")?,
            basket: size("basket")?,
            rhythm: size("rhythm")?,
            repeat: [size("repeat_first")?, size("repeat_second")?],
        };
        let values = take_bytes(tensors, "item_table", shape.items, shape.table)?;
        let mut networks = Vec::new();
        for number in 0..size("networks")? {
            // Checked before anything of the promised size is set aside.
            for part in Part::ALL {
                let name = format!("network{number}.{}", part.name());
                let (rows, columns) = shape.of(part);
                let held = tensors.tensors.get(&name).map(|t| t.shape.iter().product::<usize>());
                if held != rows.checked_mul(columns) {
                    return Err(TensorError::Tensor(name, "missing, or not of the size expected"));
                }
            }
            let mut weights = Weights::zeros(shape);
            for part in Part::ALL {
                let (rows, columns) = shape.of(part);
                let name = format!("network{number}.{}", part.name());
                if as_bytes(rows) {
                    let by_output = take_bytes(tensors, &name, columns, rows)?;
                    weights.of_mut(part).copy_from_slice(&turned(&by_output, rows));
                } else {
                    weights.of_mut(part).copy_from_slice(tensors.floats(&name, columns)?);
                }
            }
            networks.push(weights);
        }
        let table = ItemTable { columns: shape.table, values };
        let mut emphasis = [0.0; TERMS];
        emphasis.copy_from_slice(tensors.floats("emphasis", TERMS)?);
        Ok(Learned { table, networks, emphasis })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned() -> Learned {
        let shape = Shape { items: 7, table: 3, basket: 4, rhythm: 2, repeat: [5, 3] };
        let mut weights = Weights::zeros(shape);
        weights.values.iter_mut().enumerate().for_each(|(i, w)| *w = (i as f32 * 0.37).sin());
        let values = (0..21).map(|i| (i as f32).cos()).collect();
        let table = ItemTable { columns: 3, values };
        let emphasis = std::array::from_fn(|kind| kind as f32 * 0.1);
        Learned { table, networks: vec![weights.clone(), weights], emphasis }
    }

    #[test]
    fn what_is_read_is_within_half_a_step_and_stays_so() {
        let before = learned();
        let once = Learned::from_bytes(&before.to_bytes()).unwrap();
        for (a, b) in before.networks[1].values.iter().zip(&once.networks[1].values) {
            assert!((a - b).abs() <= 0.51 / 127.0, "{a} {b}");
        }
        assert_eq!((once.networks.len(), once.emphasis), (2, before.emphasis));
        let bytes = once.to_bytes();
        let twice = Learned::from_bytes(&bytes).unwrap();
        for (a, b) in once.networks[0].values.iter().zip(&twice.networks[0].values) {
            assert!((a - b).abs() <= 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn another_kind_of_file_is_refused_by_name() {
        let bytes = Tensors::default().to_bytes();
        assert_eq!(Learned::from_bytes(&bytes), Err(TensorError::Missing("kind".to_owned())));
    }

    #[test]
    fn a_file_that_promises_more_than_it_holds_is_refused() {
        let mut tensors = Tensors::from_bytes(&learned().to_bytes()).unwrap();
        tensors.metadata.insert("items".to_owned(), "16000000".to_owned());
        assert!(Learned::from_bytes(&tensors.to_bytes()).is_err());
        tensors.metadata.insert("items".to_owned(), "-1".to_owned());
        assert!(Learned::from_bytes(&tensors.to_bytes()).is_err());
    }
}
