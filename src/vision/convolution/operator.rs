//! Our convolution as tract's operator: from a map (or from planes, for the first of a network) to
//! a map, with bias, an optional sum with another map, and an optional ReLU at its end.

use super::lanes::{Kernel, LANES};
use super::map::{Map, Reused};
use super::sweep::{Finish, Line, Sweep, Walk, flat_mut};
use super::winograd::Winograd;
use std::cell::RefCell;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// How the input lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// As our operators write it.
    Map,
    /// Channel by channel, as everything else writes it.
    Planes,
}

/// A convolution with square kernel and stride, or a transposed one of kernel 2 and stride 2.
pub(super) struct Geometry {
    /// The input, without its ring.
    pub(super) input: Map,
    /// The output, without its ring.
    pub(super) output: Map,
    /// Rows and columns of the kernel.
    pub(super) side: usize,
    /// Input pixels from one output pixel to the next.
    pub(super) stride: usize,
    /// Rows above and columns left of the picture that are read as zeros: 0 or 1.
    pub(super) pad: usize,
    /// Each input pixel gives 2 times 2 output pixels.
    pub(super) transposed: bool,
}

/// The ways to compute it.
enum Way {
    /// One sweep over all output pixels.
    Direct(Sweep),
    /// Row by row, from rows of planes that are copied between zeros.
    Planes(Sweep),
    /// Four sweeps, each over every second pixel of every second row.
    Transposed(Vec<Sweep>),
    /// Stride 1 and a kernel of 3.
    Winograd(Winograd),
}

/// What is kept for all runs.
struct Prepared {
    geometry: Geometry,
    way: Way,
    bias: Vec<Line>,
    relu: bool,
    outputs: Reused,
}

/// The operator. Its second input, if there is one, is added before the ReLU.
#[derive(Clone)]
pub(super) struct Convolution {
    prepared: Arc<Prepared>,
}

thread_local! {
    static SCRATCH: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Lets `work` use `len` numbers that hold anything.
pub(super) fn with_scratch<T>(len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    SCRATCH.with_borrow_mut(|lines| {
        let needed = len.div_ceil(LANES);
        if lines.len() < needed {
            lines.resize(needed, Line([0.0; LANES]));
        }
        work(&mut flat_mut(lines)[..len])
    })
}

impl Convolution {
    /// `weights` are output, input, row, column; `bias` has one number for each output channel.
    pub(super) fn new(
        kernel: Kernel,
        geometry: Geometry,
        source: Source,
        weights: &[f32],
        bias: &[f32],
        relu: bool,
    ) -> Convolution {
        let (input, output, side) = (geometry.input, geometry.output, geometry.side);
        let weight = |o: usize, i: usize, y: usize, x: usize| {
            let known = o < output.channels && i < input.channels;
            if known { weights[((o * input.channels + i) * side + y) * side + x] } else { 0.0 }
        };
        let tile = Winograd::pays(&geometry);
        let way = match (source, tile) {
            (Source::Map, Some(tile)) => Way::Winograd(Winograd::new(kernel, input, output, tile, &weight)),
            (Source::Planes, _) => {
                let row = input.width + 2;
                let segments = (0..input.channels * side).map(|s| s * row).collect();
                let weight = |o, segment, x| weight(o, segment / side, segment % side, x);
                Way::Planes(Sweep::new(kernel, output.pitch(), segments, side, weight))
            }
            (Source::Map, None) if geometry.transposed => {
                let place = |p: usize| {
                    let weight = |o, _, i| weight(o, i, p / 2, p % 2);
                    Sweep::new(kernel, output.pitch(), vec![0], input.channels, weight)
                };
                Way::Transposed((0..4).map(place).collect())
            }
            (Source::Map, None) if input.pitch() == input.channels => {
                // The pixels of a row lie side by side: one run for each row of the kernel.
                let segments = (0..side).map(|y| input.corner(y, 0)).collect();
                let pitch = input.pitch();
                let weight = |o, y, run| weight(o, run % pitch, y, run / pitch);
                Way::Direct(Sweep::new(kernel, output.pitch(), segments, side * pitch, weight))
            }
            (Source::Map, None) => {
                let segments = (0..side * side).map(|p| input.corner(p / side, p % side)).collect();
                let weight = |o, p, i| weight(o, i, p / side, p % side);
                Way::Direct(Sweep::new(kernel, output.pitch(), segments, input.channels, weight))
            }
        };
        let number = |i: usize| bias.get(i).copied().unwrap_or(0.0);
        let line = |group| Line(std::array::from_fn(|lane| number(group * LANES + lane)));
        let bias = (0..output.groups()).map(line).collect();
        let prepared = Prepared { geometry, way, bias, relu, outputs: Reused::default() };
        Convolution { prepared: Arc::new(prepared) }
    }

    fn compute(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let Prepared { geometry, way, bias, relu, .. } = &*self.prepared;
        let (from, to) = (geometry.input, geometry.output);
        let finish = Finish { bias, residual, relu: *relu };
        let stride = geometry.stride;
        let skip = 1 - geometry.pad;
        let writes = Walk { start: to.at(0, 0), row: to.row(), pixel: to.pitch() };
        match way {
            Way::Direct(sweep) => {
                let reads = Walk {
                    start: from.corner(skip, skip),
                    row: stride * from.row(),
                    pixel: stride * from.pitch(),
                };
                sweep.run((to.height, to.width), (input, reads), (output, writes), finish);
            }
            Way::Transposed(sweeps) => {
                let reads = Walk { start: from.at(0, 0), row: from.row(), pixel: from.pitch() };
                for (place, sweep) in sweeps.iter().enumerate() {
                    let start = to.at(place / 2, place % 2);
                    let writes = Walk { start, row: 2 * to.row(), pixel: 2 * to.pitch() };
                    let size = (from.height, from.width);
                    sweep.run(size, (input, reads), (&mut *output, writes), finish);
                }
            }
            Way::Winograd(winograd) => winograd.run(input, output, finish),
            Way::Planes(sweep) => self.by_rows(sweep, input, (output, writes), finish),
        }
    }

    /// Output row by output row: the rows of planes that it needs are copied between zeros.
    fn by_rows(&self, sweep: &Sweep, input: &[f32], (output, writes): (&mut [f32], Walk), finish: Finish) {
        let Geometry { input: from, output: to, side, stride, pad, .. } = self.prepared.geometry;
        let (width, skip) = (from.width + 2, 1 - pad);
        with_scratch(from.channels * side * width, |rows| {
            for y in 0..to.height {
                for (at, row) in rows.chunks_exact_mut(width).enumerate() {
                    let (channel, ring) = (at / side, y * stride + at % side + skip);
                    if (1..=from.height).contains(&ring) {
                        let plane = channel * from.height + ring - 1;
                        row[1..width - 1].copy_from_slice(&input[plane * from.width..][..from.width]);
                        (row[0], row[width - 1]) = (0.0, 0.0);
                    } else {
                        row.fill(0.0);
                    }
                }
                let reads = Walk { start: skip, row: 0, pixel: stride };
                let writes = Walk { start: writes.start + y * writes.row, ..writes };
                sweep.run((1, to.width), (rows, reads), (&mut *output, writes), finish);
            }
        });
    }
}

impl std::fmt::Debug for Convolution {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Geometry { input, output, side, stride, .. } = &self.prepared.geometry;
        let way = match &self.prepared.way {
            Way::Direct(_) => "direct",
            Way::Planes(_) => "planes",
            Way::Transposed(_) => "transposed",
            Way::Winograd(_) => "winograd",
        };
        let relu = if self.prepared.relu { " relu" } else { "" };
        write!(f, "{way} {side}x{side}/{stride} {input} -> {output}{relu}")
    }
}

impl PartialEq for Convolution {
    fn eq(&self, other: &Convolution) -> bool {
        Arc::ptr_eq(&self.prepared, &other.prepared)
    }
}
impl Eq for Convolution {}

fn numbers(tensor: &Tensor) -> TractResult<&[f32]> {
    tensor.try_as_plain_ram()?.as_slice::<f32>()
}

impl Op for Convolution {
    fn name(&self) -> StaticName {
        "DenseConvolution".into()
    }
    fn info(&self) -> TractResult<Vec<String>> {
        Ok(vec![format!("{self:?}")])
    }
    op_as_typed_op!();
}

impl EvalOp for Convolution {
    op_out_of_plan!();
    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = numbers(&inputs[0])?;
        let residual = inputs.get(1).map(|tensor| numbers(tensor)).transpose()?;
        let Prepared { geometry, outputs, .. } = &*self.prepared;
        let output = outputs.write(&geometry.output.shape(), |output| {
            self.compute(input, residual, output);
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

impl TypedOp for Convolution {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(self.prepared.geometry.output.shape())))
    }
    as_op!();
}

/// From a map back to planes, for what is not ours.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    /// What comes in.
    pub(super) map: Map,
    /// Tensors of earlier runs.
    pub(super) outputs: Reused,
}

impl PartialEq for Planes {
    fn eq(&self, other: &Planes) -> bool {
        self.map == other.map
    }
}
impl Eq for Planes {}

impl Planes {
    fn shape(&self) -> [usize; 4] {
        [1, self.map.channels, self.map.height, self.map.width]
    }
}

impl Op for Planes {
    fn name(&self) -> StaticName {
        "PlanesOfMap".into()
    }
    op_as_typed_op!();
}

impl EvalOp for Planes {
    op_out_of_plan!();
    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let map = numbers(&inputs[0])?;
        let planes = self.outputs.write(&self.shape(), |planes| {
            self.map.write_planes(map, planes);
            Ok(())
        })?;
        Ok(tvec!(planes))
    }
}

impl TypedOp for Planes {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(self.shape())))
    }
    as_op!();
}
