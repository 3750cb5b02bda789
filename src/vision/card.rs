//! Model cards: a TOML file beside each network that says what it is, what it eats, how its
//! output is read and what it must answer. A card that parses here is complete and within
//! limits; whether the network keeps its promises is for [`super::network`] to find out.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Largest card that is read.
pub const CARD_LIMIT: u64 = 256 * 1024;
/// Largest side of a network's input, in pixels.
const SIDE_LIMIT: usize = 4096;
/// Most further shapes of a network's input.
const ALSO_LIMIT: usize = 3;
/// Most looks of a refiner at one face.
const LOOKS_LIMIT: usize = 4;
/// Most numbers an embedding may have.
const DIMENSION_LIMIT: usize = 2048;
/// Most anchors a cell, and their largest side in pixels.
const ANCHOR_LIMIT: (usize, f32) = (8, 4096.0);

/// Side of the square that a refiner sees, in its pixels.
pub const REFINER_SIDE: usize = 64;

/// Golden values are compared as if the largest of an output were at least this: beneath lies
/// what another processor rounds differently.
pub const GOLDEN_FLOOR: f32 = 1e-3;

/// What a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Faces, with five landmarks where the decoding gives them.
    Detect,
    /// One vector of an aligned face.
    Embed,
    /// Box, score and landmarks of one proposed face.
    Refine,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::Detect => "detect",
            Task::Embed => "embed",
            Task::Refine => "refine",
        })
    }
}

/// Order of the colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How a network's output becomes faces or a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoding {
    /// One output `[1, 15, h, w]` a stride: face logit, four box values, ten landmark values.
    Grid,
    /// YuNet's twelve outputs: `cls_s`, `obj_s`, `bbox_s`, `kps_s` for every stride `s`.
    Yunet,
    /// Ultra-Light's two outputs, as SSD (Liu et al. 2016) codes them: scores `[1, n, 2]`, of which the
    /// second is a face's, and boxes `[1, n, 4]` against square anchors, stride by stride, row by row:
    /// centre as a tenth of the anchor's side, logarithm of the size as a fifth. No landmarks.
    Ultralight,
    /// One vector, brought to length 1 after reading.
    Embedding,
    /// One face `[1, 15]`: logit, box and landmarks, from the middle of the square that the network
    /// sees, in its sides.
    Refined,
}

/// A model card.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Card {
    /// The network's name, e.g. `shopguide-embedder`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub task: Task,
    /// File name of the ONNX network, in the card's folder.
    pub file: String,
    /// SHA-256 of that file, 64 hexadecimal digits.
    pub sha256: String,
    /// Licence as the maker states it.
    #[serde(default)]
    pub licence: String,
    /// What it eats.
    pub input: Input,
    /// What comes out.
    pub output: Output,
    /// How faces are aligned (embedders).
    pub align: Option<Align>,
    /// What is looked at of a proposed face (refiners).
    #[serde(default)]
    pub looks: Looks,
    /// Thresholds, with the data they were set on.
    #[serde(default)]
    pub threshold: Threshold,
    /// What the network must answer to a known input.
    pub golden: Option<Golden>,
}

/// `[input]`: pixels x in 0..255 enter as `(x - mean) * scale`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Input {
    /// Name of the input in the file.
    pub name: String,
    /// `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// Further shapes in which a detector runs the same network, for frames that fill them better.
    #[serde(default)]
    pub also: Vec<[usize; 4]>,
    /// Order of the three planes.
    pub colour: Colour,
    /// Per plane, in the network's order.
    pub mean: [f32; 3],
    /// Per plane, in the network's order.
    pub scale: [f32; 3],
}

impl Input {
    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.shape[3], self.shape[2])
    }
}

/// `[output]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Output {
    /// How the outputs are read.
    pub decoding: Decoding,
    /// Names of the outputs in the file.
    pub names: Vec<String>,
    /// Pixels a cell, per grid (detectors).
    #[serde(default)]
    pub strides: Vec<usize>,
    /// Sides in pixels of the anchors in each cell, per grid (Ultra-Light).
    #[serde(default)]
    pub anchors: Vec<Vec<f32>>,
    /// Numbers in the vector (embedders).
    #[serde(default)]
    pub dimensions: usize,
}

/// `[align]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Align {
    /// The five target points: only `arcface-112` is known.
    pub template: String,
}

/// `[looks]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Looks {
    /// Side of the square that the network sees over the longer side of the box, look by look: of the
    /// proposed box in the first, then of the box that the look before gave. Every other look is one in a
    /// mirror.
    pub reach: Vec<f32>,
    /// What the log-odds of the detector's score add to the refiner's.
    pub detector: f32,
}

impl Default for Looks {
    fn default() -> Self {
        Self { reach: vec![1.5, 1.5], detector: 0.35 }
    }
}

/// `[threshold]`; which of them matter depends on the task.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Threshold {
    /// Least detection score, 0..1.
    pub score: f32,
    /// Least score of a detector's proposal that a refiner looks at, 0..1.
    pub proposal: f32,
    /// Overlap above which the weaker of two detections goes, 0..1.
    pub nms: f32,
    /// Least cosine of a vote.
    #[serde(rename = "match")]
    pub matching: f32,
    /// Least lead over the second member.
    pub margin: f32,
    /// The data these were set on, in words.
    pub set_on: String,
    /// Share of strangers accepted at `match`.
    pub far: f64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self {
            score: 0.5,
            proposal: 0.1,
            nms: 0.3,
            matching: 0.45,
            margin: 0.05,
            set_on: String::new(),
            far: 0.0,
        }
    }
}

/// `[golden]`: the first values of each output for [`golden_value`] at every place of the input.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Golden {
    /// Largest difference, as a share of the largest golden value of that output.
    pub tolerance: f32,
    /// First values of each output, by name.
    pub output: BTreeMap<String, Vec<f32>>,
}

/// The golden input at flat NCHW index `i`, in 0..=255, before mean and scale.
pub fn golden_value(i: usize) -> f32 {
    (((i as u64).wrapping_mul(2_654_435_761) & 0xFFFF_FFFF) >> 24) as f32
}

impl Card {
    /// Reads a card. The error says in words what is wrong.
    pub fn parse(text: &str) -> Result<Card, String> {
        let card: Card = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        card.check()?;
        Ok(card)
    }

    /// What templates remember: name and version, e.g. `shopguide-embedder/1`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// This card and, for each of `input.also`, one that differs in its shape alone and knows no
    /// golden answer.
    pub fn shapes(&self) -> Vec<Card> {
        let also = self.input.also.iter().map(|&shape| {
            let mut card = Card { golden: None, ..self.clone() };
            card.input.shape = shape;
            card.input.also.clear();
            card
        });
        std::iter::once(self.clone()).chain(also).collect()
    }

    /// Whether the detector finds five landmarks with each face. One that does not sees and counts
    /// faces; alignment, and with it recognition, needs landmarks from elsewhere.
    pub fn gives_landmarks(&self) -> bool {
        matches!(self.output.decoding, Decoding::Grid | Decoding::Yunet)
    }

    fn check(&self) -> Result<(), String> {
        let refuse = |what: String| Err(what);
        if self.name.is_empty() || self.name.len() > 64 || self.version.len() > 64 {
            return refuse("name must have 1 to 64 characters, version at most 64".into());
        }
        if self.file.is_empty() || self.file.contains(['/', '\\', '\0']) || self.file.starts_with("..") {
            return refuse(format!(
                "file = {:?}: expected the name of a file in the card's folder",
                self.file
            ));
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return refuse("sha256: expected 64 hexadecimal digits (`sha256sum FILE` prints them)".into());
        }
        let [n, c, h, w] = self.input.shape;
        if n != 1 || c != 3 || !(8..=SIDE_LIMIT).contains(&h) || !(8..=SIDE_LIMIT).contains(&w) {
            return refuse(format!(
                "input.shape = {:?}: expected [1, 3, height, width] with sides from 8 to {SIDE_LIMIT}",
                self.input.shape
            ));
        }
        let finite = |v: &[f32; 3]| v.iter().all(|x| x.is_finite());
        if !finite(&self.input.mean) || !finite(&self.input.scale) || self.input.scale.contains(&0.0) {
            return refuse("input.mean and input.scale: expected finite numbers, scale not 0".into());
        }
        let t = &self.threshold;
        for (key, value, low) in [
            ("score", t.score, 0.0),
            ("proposal", t.proposal, 0.0),
            ("nms", t.nms, 0.0),
            ("match", t.matching, -1.0),
            ("margin", t.margin, 0.0),
        ] {
            if !(low..=1.0).contains(&value) {
                return refuse(format!("threshold.{key} = {value}: expected {low} to 1"));
            }
        }
        let reach = &self.looks.reach;
        if !(1..=LOOKS_LIMIT).contains(&reach.len()) || !reach.iter().all(|r| (1.0..=4.0).contains(r)) {
            return refuse(format!(
                "looks.reach = {reach:?}: expected 1 to {LOOKS_LIMIT} numbers from 1 to 4"
            ));
        }
        if !(0.0..=2.0).contains(&self.looks.detector) {
            return refuse(format!("looks.detector = {}: expected 0 to 2", self.looks.detector));
        }
        if let Some(golden) = &self.golden {
            if !(golden.tolerance > 0.0 && golden.tolerance <= 0.1) {
                return refuse(format!("golden.tolerance = {}: expected up to 0.1", golden.tolerance));
            }
            for (name, values) in &golden.output {
                if !self.output.names.contains(name) {
                    return refuse(format!("golden.output names {name:?}, which output.names does not list"));
                }
                if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
                    return refuse(format!("golden.output.{name}: expected finite numbers"));
                }
            }
        }
        if self.input.also.len() > ALSO_LIMIT || !(self.input.also.is_empty() || self.task == Task::Detect) {
            return refuse(format!("input.also: up to {ALSO_LIMIT} further shapes, of a detector only"));
        }
        self.shapes().iter().skip(1).try_for_each(Card::check)?;
        self.check_output()
    }

    fn check_output(&self) -> Result<(), String> {
        let out = &self.output;
        let expected_task = match out.decoding {
            Decoding::Grid | Decoding::Yunet | Decoding::Ultralight => Task::Detect,
            Decoding::Embedding => Task::Embed,
            Decoding::Refined => Task::Refine,
        };
        if self.task != expected_task {
            return Err(format!(
                "output.decoding belongs to task \"{expected_task}\", not \"{}\"",
                self.task
            ));
        }
        if self.task == Task::Embed {
            if out.names.len() != 1 || !(16..=DIMENSION_LIMIT).contains(&out.dimensions) {
                return Err(format!(
                    "output: expected one name and dimensions from 16 to {DIMENSION_LIMIT}, found {} and {}",
                    out.names.len(),
                    out.dimensions
                ));
            }
            if self.input.shape[2..] != [112, 112] {
                return Err("input.shape: an embedder takes [1, 3, 112, 112]".into());
            }
            return match &self.align {
                Some(align) if align.template == "arcface-112" => Ok(()),
                Some(align) => {
                    Err(format!("align.template = {:?}: only \"arcface-112\" is known", align.template))
                }
                None => Err("[align] is missing: expected template = \"arcface-112\"".into()),
            };
        }
        if self.task == Task::Refine {
            return match (out.names.len(), self.input.shape[2..] == [REFINER_SIDE; 2]) {
                (1, true) => Ok(()),
                (1, false) => {
                    Err(format!("input.shape: a refiner takes [1, 3, {REFINER_SIDE}, {REFINER_SIDE}]"))
                }
                (n, _) => Err(format!("output.names: expected one name, found {n}")),
            };
        }
        let (w, h) = self.input.size();
        let strides = &out.strides;
        if out.decoding == Decoding::Ultralight {
            let (most, largest) = ANCHOR_LIMIT;
            let sound = |anchors: &Vec<f32>| {
                (1..=most).contains(&anchors.len())
                    && anchors.iter().all(|side| *side > 0.0 && *side <= largest)
            };
            if out.names.len() != 2
                || !(1..=5).contains(&strides.len())
                || strides.iter().any(|s| !(1..=64).contains(s))
                || strides.len() != out.anchors.len()
                || !out.anchors.iter().all(sound)
            {
                return Err(format!(
                    "output: expected names for scores and boxes, 1 to 5 strides up to 64, and for each stride 1 \
                     to {most} anchors up to {largest} pixels"
                ));
            }
            return Ok(());
        }
        if strides.is_empty()
            || strides.len() > 5
            || strides.iter().any(|&s| s == 0 || s > 64 || w % s + h % s > 0)
        {
            return Err(format!(
                "output.strides = {strides:?}: expected 1 to 5 divisors of the input's sides"
            ));
        }
        match out.decoding {
            Decoding::Yunet => {
                for name in strides.iter().flat_map(|s| yunet_names(*s)) {
                    if !out.names.contains(&name) {
                        return Err(format!(
                            "output.names does not list {name:?}, which YuNet's decoding reads"
                        ));
                    }
                }
                Ok(())
            }
            _ if out.names.len() != strides.len() => {
                Err("output.names: expected one output for each of output.strides".into())
            }
            _ => Ok(()),
        }
    }

    /// Numbers of each output, in the order of `output.names`, as the decoding reads them;
    /// `None` where the decoding does not read it.
    pub fn output_lengths(&self) -> Vec<Option<usize>> {
        let (w, h) = self.input.size();
        let cells = |s: usize| (w / s) * (h / s);
        let out = &self.output;
        match out.decoding {
            Decoding::Embedding => vec![Some(out.dimensions)],
            Decoding::Ultralight => {
                let grids = out.strides.iter().zip(&out.anchors);
                let boxes: usize = grids.map(|(&s, a)| w.div_ceil(s) * h.div_ceil(s) * a.len()).sum();
                vec![Some(2 * boxes), Some(4 * boxes)]
            }
            Decoding::Refined => vec![Some(15)],
            Decoding::Grid => out.strides.iter().map(|&s| Some(15 * cells(s))).collect(),
            Decoding::Yunet => {
                let find = |name: &String| {
                    out.strides.iter().find_map(|&s| {
                        let at = yunet_names(s).iter().position(|n| n == name)?;
                        Some([1, 1, 4, 10][at] * cells(s))
                    })
                };
                out.names.iter().map(find).collect()
            }
        }
    }
}

/// YuNet's four outputs at one stride: class, objectness, box, landmarks.
pub fn yunet_names(stride: usize) -> [String; 4] {
    ["cls", "obj", "bbox", "kps"].map(|kind| format!("{kind}_{stride}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = include_str!("../../models/detector-640.toml");
    const EMBEDDER: &str = include_str!("../../models/embedder.toml");
    const REFINER: &str = include_str!("../../models/refiner.toml");
    const ULTRALIGHT: &str = include_str!("../../models/references/ultralight-rfb-320.toml");

    #[test]
    fn the_cards_in_the_program_parse() {
        let card = Card::parse(GOOD).unwrap();
        assert_eq!((card.task, card.output.decoding), (Task::Detect, Decoding::Grid));
        assert_eq!(Card::parse(EMBEDDER).unwrap().output_lengths(), [Some(128)]);
    }

    #[test]
    fn a_wrong_value_is_named_in_the_refusal() {
        let cases = [
            ("sha256 = \"", "sha256 = \"zz", "sha256"),
            ("file = \"detector", "file = \"../detector", "folder"),
            ("shape = [1, 3,", "shape = [2, 3,", "input.shape"),
            ("shape = [1, 3, 384,", "shape = [1, 3, 99999,", "input.shape"),
            ("also = [[1, 3,", "also = [[1, 1,", "input.shape"),
            ("also = [[1, 3, 480,", "also = [[1, 3, 481,", "strides"),
            ("colour = \"rgb\"", "colour = \"grb\"", "colour"),
            ("strides = [8, 16, 32]", "strides = [7, 16, 32]", "strides"),
            ("nms = ", "nms = 1", "nms"),
            ("decoding = \"grid\"", "decoding = \"embedding\"", "task"),
            ("decoding = \"grid\"", "decoding = \"yunet\"", "cls_8"),
            ("tolerance = 0.01", "tolerance = 9.0", "tolerance"),
            ("task = \"detect\"", "task = \"guess\"", "task"),
        ];
        for (from, to, word) in cases {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from} is not in the card");
            let error = Card::parse(&text).unwrap_err();
            assert!(error.contains(word), "{to}: {error}");
        }
        let error = Card::parse(&EMBEDDER.replace("arcface-112", "other")).unwrap_err();
        assert!(error.contains("arcface-112"), "{error}");
        let error = Card::parse(&ULTRALIGHT.replace("[32.0, 48.0]", "[]")).unwrap_err();
        assert!(error.contains("anchors"), "{error}");
    }

    #[test]
    fn a_refiner_says_how_much_of_a_face_each_look_takes_in() {
        let looks = |text: &str| Card::parse(&REFINER.replace("[looks]", "[other]").replace("[input]", text));
        assert_eq!(looks("[input]").unwrap().looks, Looks::default());
        let card = looks("[looks]\nreach = [2, 1.5, 1.5]\ndetector = 0\n[input]").unwrap();
        assert_eq!(card.looks, Looks { reach: vec![2.0, 1.5, 1.5], detector: 0.0 });
        for wrong in
            ["reach = []", "reach = [0.5]", "reach = [nan]", "reach = [2, 2, 2, 2, 2]", "detector = 9"]
        {
            let error = looks(&format!("[looks]\n{wrong}\n[input]")).unwrap_err();
            assert!(error.contains("looks."), "{wrong}: {error}");
        }
    }

    #[test]
    fn further_shapes_differ_in_their_shape_alone_and_only_detectors_have_them() {
        let [first, tall, ..] = &Card::parse(GOOD).unwrap().shapes()[..] else { panic!("one shape") };
        assert_eq!((first.input.size(), tall.input.size()), ((640, 384), (640, 480)));
        assert_eq!((tall.id(), &tall.output, tall.shapes().len()), (first.id(), &first.output, 1));
        assert!(first.golden.is_some() && tall.golden.is_none());
        let error =
            Card::parse(&EMBEDDER.replace("[input]", "[input]\nalso = [[1, 3, 112, 112]]")).unwrap_err();
        assert!(error.contains("of a detector only"), "{error}");
    }

    #[test]
    fn a_card_tells_whether_its_detector_gives_landmarks() {
        assert!(Card::parse(GOOD).unwrap().gives_landmarks());
        let card = Card::parse(ULTRALIGHT).unwrap();
        assert!(!card.gives_landmarks());
        assert_eq!(card.output_lengths(), [Some(8840), Some(17680)]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,400}") {
            let _ = Card::parse(&text);
        }

        #[test]
        fn a_damaged_card_is_refused_or_stays_within_limits(
            at in 0..GOOD.len(), byte in 32u8..127, cut in 0usize..40
        ) {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            let end = (at + 1 + cut).min(bytes.len());
            bytes.drain(at + 1..end);
            if let Ok(card) = Card::parse(&String::from_utf8_lossy(&bytes)) {
                for shape in card.shapes() {
                    let (w, h) = shape.input.size();
                    prop_assert!(w <= SIDE_LIMIT && h <= SIDE_LIMIT);
                }
                prop_assert_eq!(card.output_lengths().len(), card.output.names.len());
            }
        }
    }
}
