//! Networks, checked before they are believed: size, hash, operators, shapes, memory and the
//! golden answer of the card. With `convolution`, `inspect` and `profile` all that knows tract. A network
//! that opened has run once, at the shape it will always run at; what made tract panic became a
//! refusal in words.

use super::card::{self, Card, Task};
use super::convolution;
use super::inspect;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

/// Largest network file that is read.
pub const FILE_LIMIT: u64 = 64 * 1024 * 1024;
/// Most memory that all intermediate values of one run may take together.
const MEMORY_LIMIT: u64 = 1024 * 1024 * 1024;

const DETECTOR: (&str, &[u8]) =
    (include_str!("../../models/detector-640.toml"), include_bytes!("../../models/detector-640.onnx"));
const EMBEDDER: (&str, &[u8]) =
    (include_str!("../../models/embedder.toml"), include_bytes!("../../models/embedder.onnx"));
const REFINER: (&str, &[u8]) =
    (include_str!("../../models/refiner.toml"), include_bytes!("../../models/refiner.onnx"));

/// Card and file of the network inside the program.
fn inside(task: Task) -> (&'static str, &'static [u8]) {
    match task {
        Task::Detect => DETECTOR,
        Task::Refine => REFINER,
        Task::Embed => EMBEDDER,
    }
}

/// How errors name the model of the card at `path`, or the one inside the program.
fn named(path: Option<&Path>, task: Task) -> String {
    path.map_or_else(|| format!("inside the program ({task})"), |path| path.display().to_string())
}

/// A model that was refused, and why; the caller keeps the one it has.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("model {model}: {problem}")]
pub struct ModelError {
    /// The card's path, or that it is the one inside the program.
    pub model: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}; check the path and that the service may read it")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// A file is larger than any that is read.
    #[error("{path} is larger than {limit} bytes, the most that is read")]
    TooLarge {
        /// The file.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The card is not one.
    #[error("its card is not valid: {0}")]
    Card(String),
    /// A detector where an embedder belongs, or the other way round.
    #[error("its task is \"{found}\", expected \"{expected}\"; the settings name the wrong card")]
    Task {
        /// What the settings ask for.
        expected: Task,
        /// What the card says.
        found: Task,
    },
    /// The file is not the one that the card describes.
    #[error(
        "sha256 of {file} is {found}, the card says {expected}; the file is damaged, or card and file \
         are of different versions: copy both again"
    )]
    Hash {
        /// The network's file name.
        file: String,
        /// Of the card.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// Not a network, or not one that can be run here.
    #[error("{0}")]
    Network(String),
    /// An input or output differs from the card.
    #[error("{place} has the shape {found:?} in the file, the card expects {expected}")]
    Shape {
        /// Which input or output.
        place: String,
        /// What the card says.
        expected: String,
        /// What the file says.
        found: Vec<usize>,
    },
    /// Running it would need too much memory.
    #[error("one run would need {bytes} bytes of memory, more than the limit of {limit}")]
    Memory {
        /// Estimate.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The inference engine gave up.
    #[error("the inference engine failed on it: {0}")]
    Engine(String),
    /// The known input did not give the known answer.
    #[error(
        "its answer to the golden input differs: {output}[{at}] is {found}, the card says {expected}; the \
         network does not compute here what it computed where the card was written"
    )]
    Golden {
        /// Which output.
        output: String,
        /// Which value.
        at: usize,
        /// Of the card.
        expected: f32,
        /// Computed here.
        found: f32,
    },
}

/// Results of one run, in the order of the card's `output.names`.
pub struct Outputs(TVec<TValue>);

impl Outputs {
    /// The values of one output, flat; empty if there is no such output.
    pub fn values(&self, index: usize) -> &[f32] {
        let view = self.0.get(index).and_then(|v| v.as_plain_ram());
        view.and_then(|v| v.as_slice::<f32>().ok()).unwrap_or(&[])
    }
}

/// A network ready to run on one thread. Clones share the weights.
#[derive(Clone)]
pub struct Network {
    pub(super) plan: Arc<TypedRunnableModel>,
    pub(super) input: Arc<Tensor>,
    shape: [usize; 4],
}

impl Network {
    /// Opens the network that the card at `path` describes, or the one inside the program.
    pub fn open(path: Option<&Path>, task: Task) -> Result<(Card, Network), ModelError> {
        Source::read(path, None, task).and_then(|source| source.network(source.card.clone()))
    }

    /// The card at `path`, or that of the network inside the program; the network itself is not read.
    pub fn card(path: Option<&Path>, task: Task) -> Result<Card, ModelError> {
        let card = match path {
            Some(path) => read_limited(path, card::CARD_LIMIT).and_then(|bytes| read_card(&bytes)),
            None => Card::parse(inside(task).0).map_err(Problem::Card),
        };
        card.map_err(|problem| ModelError { model: named(path, task), problem })
    }

    /// Opens the network of the card at `path`, whose file lies beside it or else in `weights`.
    pub fn open_with(path: &Path, weights: &Path, task: Task) -> Result<(Card, Network), ModelError> {
        Source::read(Some(path), Some(weights), task).and_then(|source| source.network(source.card.clone()))
    }

    /// The same network in every shape of its card, each with a card of that shape; the card's own first.
    pub fn open_shapes(
        path: Option<&Path>,
        weights: Option<&Path>,
        task: Task,
    ) -> Result<Vec<(Card, Network)>, ModelError> {
        let source = Source::read(path, weights, task)?;
        source.card.shapes().into_iter().map(|shape| source.network(shape)).collect()
    }

    /// Runs the network; `fill` writes the input, flat NCHW, mean and scale applied.
    /// The error is in the engine's words.
    pub fn run(&mut self, fill: impl FnOnce(&mut [f32])) -> Result<Outputs, String> {
        guarded(|| {
            if Arc::get_mut(&mut self.input).is_none() {
                self.input = Arc::new(Tensor::zero::<f32>(&self.shape)?);
            }
            if let Some(tensor) = Arc::get_mut(&mut self.input) {
                fill(tensor.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
            }
            let input = TValue::from_const(self.input.clone());
            Ok(Outputs(self.plan.run(tvec!(input))?))
        })
    }
}

/// Runs what may panic or fail inside tract; both become words.
fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| format!("{e:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(format!("it panicked ({text})"))
        }
    }
}

/// Reads a file of at most `limit` bytes.
pub(super) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Problem> {
    let unreadable =
        |e: std::io::Error| Problem::Unreadable { path: path.display().to_string(), reason: e.to_string() };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Problem::TooLarge { path: path.display().to_string(), limit });
    }
    Ok(bytes)
}

/// Reads a card's bytes.
pub(super) fn read_card(bytes: &[u8]) -> Result<Card, Problem> {
    let text = str::from_utf8(bytes).map_err(|_| Problem::Card("it is not UTF-8 text".into()))?;
    Card::parse(text).map_err(Problem::Card)
}

/// A network's card and file, read and believed to belong together.
struct Source {
    model: String,
    card: Card,
    onnx: tract_onnx::Onnx,
    proto: tract_onnx::pb::ModelProto,
}

impl Source {
    /// Reads the card at `path` with its file, beside it or else in `weights`, or those inside the program.
    fn read(path: Option<&Path>, weights: Option<&Path>, task: Task) -> Result<Source, ModelError> {
        let model = named(path, task);
        let read = match path {
            Some(path) => files(path, weights),
            None => {
                let (card, bytes) = inside(task);
                Card::parse(card).map_err(Problem::Card).map(|card| (card, bytes.to_vec()))
            }
        };
        let checked = read.and_then(|(card, bytes)| checked(card, &bytes, task));
        match checked {
            Ok((card, onnx, proto)) => Ok(Source { model, card, onnx, proto }),
            Err(problem) => Err(ModelError { model, problem }),
        }
    }

    /// The network in the shape of `card`, which differs from the source's in nothing else.
    fn network(&self, card: Card) -> Result<(Card, Network), ModelError> {
        match built(&self.onnx, &self.proto, &card) {
            Ok(network) => Ok((card, network)),
            Err(problem) => Err(ModelError { model: self.model.clone(), problem }),
        }
    }
}

fn files(path: &Path, weights: Option<&Path>) -> Result<(Card, Vec<u8>), Problem> {
    let card = read_card(&read_limited(path, card::CARD_LIMIT)?)?;
    let beside = path.with_file_name(&card.file);
    let elsewhere = weights.map(|folder| folder.join(&card.file)).filter(|_| !beside.exists());
    let bytes = read_limited(&elsewhere.unwrap_or(beside), FILE_LIMIT)?;
    Ok((card, bytes))
}

/// Task, hash and operators.
fn checked(
    card: Card,
    bytes: &[u8],
    task: Task,
) -> Result<(Card, tract_onnx::Onnx, tract_onnx::pb::ModelProto), Problem> {
    if card.task != task {
        return Err(Problem::Task { expected: task, found: card.task });
    }
    let found: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    if !found.eq_ignore_ascii_case(&card.sha256) {
        return Err(Problem::Hash { file: card.file, expected: card.sha256, found });
    }
    let onnx = onnx().with_ignore_value_info(true);
    let proto = guarded(|| onnx.proto_model_for_read(&mut &bytes[..]))
        .map_err(|e| Problem::Network(format!("{} is not an ONNX network: {e}", card.file)))?;
    inspect::inspect(&proto, &card)?;
    Ok((card, onnx, proto))
}

/// Ready to run, after one run with the golden input.
fn built(
    onnx: &tract_onnx::Onnx,
    proto: &tract_onnx::pb::ModelProto,
    card: &Card,
) -> Result<Network, Problem> {
    let model = guarded(|| prepared(onnx, proto, card)).map_err(Problem::Engine)?;
    let bytes = memory(&model);
    if bytes > MEMORY_LIMIT {
        return Err(Problem::Memory { bytes, limit: MEMORY_LIMIT });
    }
    let typed = guarded(|| convolution::fuse(model.into_typed()?)).map_err(Problem::Engine)?;
    check_outputs(&typed, card)?;
    let shape = card.input.shape;
    let mut network = guarded(|| {
        let plan = typed.into_decluttered()?.into_optimized()?.into_runnable()?;
        Ok(Network { plan, input: Arc::new(Tensor::zero::<f32>(&shape)?), shape })
    })
    .map_err(Problem::Engine)?;
    check_golden(&mut network, card)?;
    Ok(network)
}

/// The network with the card's input shape and outputs, shapes worked out, nothing computed yet.
fn prepared(
    onnx: &tract_onnx::Onnx,
    proto: &tract_onnx::pb::ModelProto,
    card: &Card,
) -> TractResult<InferenceModel> {
    let mut model = onnx.model_for_proto_model(proto)?;
    model.set_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), card.input.shape))?;
    model.select_outputs_by_name(&card.output.names)?;
    model.analyse(false)?;
    Ok(model)
}

/// Bytes of all values of one run, as far as their shapes are known.
fn memory(model: &InferenceModel) -> u64 {
    let outputs = model.nodes.iter().flat_map(|node| &node.outputs);
    let sizes = outputs.map(|outlet| {
        let shape = outlet.fact.shape.concretize();
        let dims = shape.into_iter().flatten().map(|d| d.to_i64().unwrap_or(0).max(0) as u64);
        dims.fold(4u64, u64::saturating_mul)
    });
    sizes.fold(0, u64::saturating_add)
}

fn check_outputs(model: &TypedModel, card: &Card) -> Result<(), Problem> {
    let names = card.output.names.iter();
    for ((name, expected), outlet) in names.zip(card.output_lengths()).zip(&model.outputs) {
        let shape =
            model.outlet_fact(*outlet).ok().and_then(|fact| fact.shape.as_concrete().map(<[_]>::to_vec));
        let shape = shape.unwrap_or_default();
        let Some(expected) = expected else { continue };
        if shape.iter().product::<usize>() != expected || shape.is_empty() {
            let place = format!("output {name:?}");
            return Err(Problem::Shape { place, expected: format!("{expected} numbers"), found: shape });
        }
    }
    Ok(())
}

fn check_golden(network: &mut Network, card: &Card) -> Result<(), Problem> {
    let plane = card.input.shape[2] * card.input.shape[3];
    let outputs = network
        .run(|input| {
            for (i, x) in input.iter_mut().enumerate() {
                let channel = i / plane;
                *x = (card::golden_value(i) - card.input.mean[channel]) * card.input.scale[channel];
            }
        })
        .map_err(Problem::Engine)?;
    for (index, name) in card.output.names.iter().enumerate() {
        let found = outputs.values(index);
        if found.iter().any(|v| !v.is_finite()) {
            return Err(Problem::Network(format!("output {name:?} is not finite for the golden input")));
        }
        let Some(golden) = &card.golden else { continue };
        let Some(expected) = golden.output.get(name) else { continue };
        let limit = golden.tolerance * expected.iter().fold(card::GOLDEN_FLOOR, |m, v| m.max(v.abs()));
        for (at, &e) in expected.iter().enumerate() {
            let f = found.get(at).copied().unwrap_or(f32::NAN);
            let near = (f - e).abs() <= limit; // false for NaN
            if !near {
                return Err(Problem::Golden { output: name.clone(), at, expected: e, found: f });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// The detector of the program in a folder of its own, its card changed by `edit`.
    fn copied(folder: &Path, edit: impl Fn(String) -> String, bytes: &[u8]) -> PathBuf {
        let card = Card::parse(DETECTOR.0).unwrap();
        std::fs::write(folder.join(&card.file), bytes).unwrap();
        let path = folder.join("card.toml");
        std::fs::write(&path, edit(DETECTOR.0.to_owned())).unwrap();
        path
    }

    fn rehashed(text: String, bytes: &[u8]) -> String {
        let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let card = Card::parse(&text).unwrap();
        text.replace(&card.sha256, &hash)
    }

    fn refusal(edit: impl Fn(String) -> String, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = copied(folder.path(), edit, bytes);
        Network::open(Some(&path), Task::Detect).err().expect("it was accepted").to_string()
    }

    #[test]
    fn the_models_in_the_program_open_and_answer_as_their_cards_say() {
        for task in [Task::Detect, Task::Embed] {
            let (card, mut network) = Network::open(None, task).unwrap();
            assert_eq!(card.task, task);
            assert!(card.golden.is_some());
            assert!(network.run(|_| ()).is_ok());
        }
    }

    #[test]
    fn a_card_and_its_file_open_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = copied(folder.path(), |t| t, DETECTOR.1);
        assert!(Network::open(Some(&path), Task::Detect).is_ok());
    }

    #[test]
    fn a_changed_byte_is_refused_by_its_hash() {
        let mut bytes = DETECTOR.1.to_vec();
        bytes[100_000] ^= 1;
        let error = refusal(|t| t, &bytes);
        assert!(error.contains("sha256") && error.contains("copy both again"), "{error}");
    }

    #[test]
    fn a_truncated_network_is_refused_even_with_the_right_hash() {
        let cut = &DETECTOR.1[..DETECTOR.1.len() / 2];
        let error = refusal(|t| rehashed(t, cut), cut);
        assert!(error.contains("not an ONNX network"), "{error}");
        let error = refusal(|t| rehashed(t, b""), b"");
        assert!(error.contains("no graph"), "{error}");
    }

    #[test]
    fn another_shape_than_the_cards_is_refused() {
        let error = refusal(|t| t.replace("[1, 3, 384, 640]", "[1, 3, 384, 320]"), DETECTOR.1);
        assert!(error.contains("input") && error.contains("640"), "{error}");
        let error = refusal(|t| t.replace("\"s32\"", "\"other\""), DETECTOR.1);
        assert!(error.contains("other") || error.contains("golden"), "{error}");
    }

    #[test]
    fn another_golden_answer_is_refused() {
        let error = refusal(|t| t.replace("s16 = [-", "s16 = [-1"), DETECTOR.1);
        assert!(error.contains("golden") && error.contains("s16[0]"), "{error}");
    }

    #[test]
    fn the_wrong_task_a_missing_file_and_a_huge_one_are_refused_in_words() {
        let error = Network::open(None, Task::Embed).map(|(c, _)| c.task).unwrap();
        assert_eq!(error, Task::Embed);
        let folder = tempfile::tempdir().unwrap();
        let path = copied(folder.path(), |t| t, DETECTOR.1);
        let error = Network::open(Some(&path), Task::Embed).err().unwrap().to_string();
        assert!(error.contains("expected \"embed\""), "{error}");
        std::fs::remove_file(folder.path().join("detector-640.onnx")).unwrap();
        let error = Network::open(Some(&path), Task::Detect).err().unwrap().to_string();
        assert!(error.contains("cannot read"), "{error}");
        let huge = File::create(folder.path().join("detector-640.onnx")).unwrap();
        huge.set_len(FILE_LIMIT + 1).unwrap();
        let error = Network::open(Some(&path), Task::Detect).err().unwrap().to_string();
        assert!(error.contains("larger than"), "{error}");
        let error = Network::open(Some(Path::new("/nowhere/card.toml")), Task::Detect).err().unwrap();
        assert!(error.to_string().contains("/nowhere/card.toml"), "{error}");
    }

    #[test]
    fn a_panic_inside_the_engine_becomes_words() {
        let error = guarded::<()>(|| panic!("index out of bounds")).unwrap_err();
        assert!(error.contains("panicked") && error.contains("index out of bounds"), "{error}");
    }

    #[test]
    fn damaged_networks_are_refused_without_taking_the_program_down() {
        // With the hash of the damaged file in the card, so that the later checks are reached.
        let bytes = DETECTOR.1;
        for round in 0..24usize {
            let mut damaged = bytes.to_vec();
            // The start and the end of the file hold the graph, the middle the weights.
            let spread = if round % 2 == 0 { 4_000 } else { bytes.len() };
            for k in 0..4 {
                let at = bytes.len() - 1 - (round * 7_919 + k * 104_729) % spread;
                damaged[at] = damaged[at].wrapping_add(1 + (round % 254) as u8);
            }
            let folder = tempfile::tempdir().unwrap();
            let path = copied(folder.path(), |t| rehashed(t, &damaged), &damaged);
            let _ = Network::open(Some(&path), Task::Detect);
        }
    }
}
