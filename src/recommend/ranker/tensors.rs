//! Named tensors as bytes, in the layout of safetensors: eight bytes of length (little-endian), that
//! much JSON saying where each tensor lies, then the tensors end to end. Reading checks every
//! offset against what is there, and never asks for more memory than the bytes given.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest JSON part that is read: 1 MiB.
const LONGEST_HEADER: u64 = 1 << 20;

/// The numbers of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// 32-bit floating point.
    F32(Vec<f32>),
    /// 8-bit whole numbers.
    I8(Vec<i8>),
    /// 64-bit whole numbers.
    I64(Vec<i64>),
}

/// A tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its sides; their product is how many numbers it holds.
    pub shape: Vec<usize>,
    /// Row by row.
    pub numbers: Numbers,
}

/// Tensors by name, and words about them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensors {
    /// The tensors.
    pub tensors: BTreeMap<String, Tensor>,
    /// Words about them.
    pub metadata: BTreeMap<String, String>,
}

/// Why bytes are not tensors, or not those that were looked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TensorError {
    /// There is less than the header promises.
    #[error("cut short: {0}")]
    Short(&'static str),
    /// The header is not what it should be.
    #[error("the header is damaged: {0}")]
    Header(String),
    /// A tensor's place, type or shape is wrong.
    #[error("tensor {0}: {1}")]
    Tensor(String, &'static str),
    /// A tensor or a word is not there.
    #[error("there is no {0}")]
    Missing(String),
}

#[derive(Serialize, Deserialize)]
struct Place {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Place(Place),
    Words(BTreeMap<String, String>),
}

impl Tensors {
    /// Adds a tensor of floating point numbers.
    pub fn put(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let tensor = Tensor { shape: shape.to_vec(), numbers: Numbers::F32(values.to_vec()) };
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// Adds a row of whole numbers.
    pub fn put_whole(&mut self, name: &str, values: Vec<i64>) {
        let tensor = Tensor { shape: vec![values.len()], numbers: Numbers::I64(values) };
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// The numbers of a row of `count` whole numbers.
    pub fn whole(&self, name: &str, count: usize) -> Result<&[i64], TensorError> {
        match self.tensors.get(name).map(|t| &t.numbers) {
            Some(Numbers::I64(values)) if values.len() == count => Ok(values),
            Some(_) => Err(TensorError::Tensor(name.to_owned(), "not of the type or size expected")),
            None => Err(TensorError::Missing(name.to_owned())),
        }
    }

    /// The numbers of a tensor of `count` floating point numbers.
    pub fn floats(&self, name: &str, count: usize) -> Result<&[f32], TensorError> {
        match self.tensors.get(name).map(|t| &t.numbers) {
            Some(Numbers::F32(values)) if values.len() == count => Ok(values),
            Some(Numbers::F32(_)) => Err(TensorError::Tensor(name.to_owned(), "not of the size expected")),
            Some(_) => Err(TensorError::Tensor(name.to_owned(), "not of the type expected")),
            None => Err(TensorError::Missing(name.to_owned())),
        }
    }

    /// A word about the tensors, read as what is asked for.
    pub fn word<T: std::str::FromStr>(&self, name: &str) -> Result<T, TensorError> {
        let word = self.metadata.get(name).ok_or_else(|| TensorError::Missing(name.to_owned()))?;
        word.parse().map_err(|_| TensorError::Header(format!("{name} = {word:?}")))
    }

    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header: BTreeMap<&str, Entry> = BTreeMap::new();
        header.insert("__metadata__", Entry::Words(self.metadata.clone()));
        let mut data = Vec::new();
        for (name, tensor) in &self.tensors {
            let from = data.len();
            let dtype = match &tensor.numbers {
                Numbers::F32(values) => {
                    values.iter().for_each(|v| data.extend(v.to_le_bytes()));
                    "F32"
                }
                Numbers::I8(values) => {
                    data.extend(values.iter().map(|v| *v as u8));
                    "I8"
                }
                Numbers::I64(values) => {
                    values.iter().for_each(|v| data.extend(v.to_le_bytes()));
                    "I64"
                }
            };
            let place = Place {
                dtype: dtype.to_owned(),
                shape: tensor.shape.clone(),
                data_offsets: [from, data.len()],
            };
            header.insert(name, Entry::Place(place));
        }
        // Maps of strings to plain numbers always have JSON.
        let mut json = serde_json::to_vec(&header).unwrap_or_default();
        // Data begins at a multiple of eight bytes, as the layout asks.
        json.resize(json.len().next_multiple_of(8), b' ');
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json);
        bytes.extend(data);
        bytes
    }

    /// From bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Tensors, TensorError> {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or(TensorError::Short("no header"))?;
        let length = u64::from_le_bytes(*length);
        if length > LONGEST_HEADER {
            return Err(TensorError::Header(format!("{length} bytes long")));
        }
        let (json, data) =
            rest.split_at_checked(length as usize).ok_or(TensorError::Short("the header ends early"))?;
        let header: BTreeMap<String, Entry> =
            serde_json::from_slice(json).map_err(|e| TensorError::Header(e.to_string()))?;
        let mut out = Tensors::default();
        for (name, entry) in header {
            let place = match entry {
                Entry::Place(place) => place,
                Entry::Words(words) if name == "__metadata__" => {
                    out.metadata = words;
                    continue;
                }
                Entry::Words(_) => return Err(TensorError::Tensor(name, "no place")),
            };
            let [from, to] = place.data_offsets;
            let Some(raw) = data.get(from..to) else {
                return Err(TensorError::Tensor(name, "lies outside the file"));
            };
            let count = place.shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side));
            let numbers = match place.dtype.as_str() {
                "F32" if count.and_then(|n| n.checked_mul(4)) == Some(raw.len()) => {
                    let (chunks, _) = raw.as_chunks::<4>();
                    Numbers::F32(chunks.iter().map(|c| f32::from_le_bytes(*c)).collect())
                }
                "I8" if count == Some(raw.len()) => Numbers::I8(raw.iter().map(|b| *b as i8).collect()),
                "I64" if count.and_then(|n| n.checked_mul(8)) == Some(raw.len()) => {
                    let (chunks, _) = raw.as_chunks::<8>();
                    Numbers::I64(chunks.iter().map(|c| i64::from_le_bytes(*c)).collect())
                }
                "F32" | "I8" | "I64" => {
                    return Err(TensorError::Tensor(name, "its shape and its bytes differ"));
                }
                _ => return Err(TensorError::Tensor(name, "of a type that is not known here")),
            };
            out.tensors.insert(name, Tensor { shape: place.shape, numbers });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some() -> Tensors {
        let mut tensors = Tensors::default();
        tensors.put("weights", &[2, 3], &[1.0, -2.0, 0.5, f32::MAX, 0.0, -0.0]);
        let bytes = Tensor { shape: vec![4], numbers: Numbers::I8(vec![-127, 0, 3, 127]) };
        tensors.tensors.insert("bytes".to_owned(), bytes);
        tensors.put_whole("ids", vec![i64::MIN, -1, 7]);
        tensors.metadata.insert("seed".to_owned(), "7".to_owned());
        tensors
    }

    #[test]
    fn what_was_written_is_read() {
        let got = Tensors::from_bytes(&some().to_bytes()).unwrap();
        assert_eq!(got, some());
        assert_eq!(got.word::<u64>("seed"), Ok(7));
        assert_eq!(got.floats("weights", 6).unwrap()[3], f32::MAX);
        assert_eq!(got.whole("ids", 3), Ok([i64::MIN, -1, 7].as_slice()));
        assert!(got.whole("ids", 2).is_err() && got.whole("weights", 6).is_err());
        assert!(got.floats("weights", 5).is_err() && got.floats("bytes", 4).is_err());
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let bytes = some().to_bytes();
        for end in 0..bytes.len() {
            assert!(Tensors::from_bytes(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Tensors::from_bytes(&bytes);
        }

        #[test]
        fn any_damage_is_read_or_refused(at in 0usize..500, value in any::<u8>()) {
            let mut bytes = some().to_bytes();
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = Tensors::from_bytes(&bytes);
        }
    }
}
