//! Every kernel against tract's own convolutions, in networks of random shapes.

use super::fuse::rewritten;
use super::lanes::Kernel;
use proptest::prelude::*;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math::{add, max};
use tract_onnx::tract_core::ops::nn::DataFormat;

/// Numbers between -1 and 1, the same for the same seed.
fn noise(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_shape(shape, &values).unwrap()
}

/// A network in the making; each part gets weights of its own.
struct Net {
    model: TypedModel,
    seed: u64,
}

impl Net {
    fn new(shape: [usize; 4], seed: u64) -> (Net, OutletId) {
        let mut model = TypedModel::default();
        let input = model.add_source("input", f32::fact(shape)).unwrap();
        (Net { model, seed }, input)
    }

    fn wire(&mut self, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> OutletId {
        let name = format!("node{}", self.model.nodes.len());
        self.model.wire_node(name, op, inputs).unwrap()[0]
    }

    fn constant(&mut self, shape: &[usize]) -> OutletId {
        self.seed += 1;
        let name = format!("weights{}", self.seed);
        self.model.add_const(name, noise(shape, self.seed)).unwrap()
    }

    fn spec(&self, input: OutletId, to: usize, side: usize, stride: usize, pad: usize) -> PoolSpec {
        let from = self.model.outlet_fact(input).unwrap().shape[1].to_usize().unwrap();
        PoolSpec::new(
            DataFormat::NCHW,
            tvec!(side, side),
            PaddingSpec::Explicit(tvec!(pad, pad), tvec!(pad, pad)),
            None,
            Some(tvec!(stride, stride)),
            from,
            to,
        )
    }

    fn conv(&mut self, input: OutletId, to: usize, side: usize, stride: usize, pad: usize) -> OutletId {
        let spec = self.spec(input, to, side, stride, pad);
        let (weights, bias) = (self.constant(&[to, spec.input_channels, side, side]), self.constant(&[to]));
        self.wire(Conv::new(spec, KernelFormat::OIHW, 1, None), &[input, weights, bias])
    }

    fn transposed(&mut self, input: OutletId, to: usize) -> OutletId {
        let spec = self.spec(input, to, 2, 2, 0);
        let (weights, bias) = (self.constant(&[to, spec.input_channels, 2, 2]), self.constant(&[to]));
        self.wire(Deconv::new(spec, KernelFormat::OIHW, tvec!(0, 0), 1), &[input, weights, bias])
    }

    fn relu(&mut self, input: OutletId) -> OutletId {
        let name = format!("zero{}", self.model.nodes.len());
        let zero = self.model.add_const(name, Tensor::from_shape(&[1, 1, 1, 1], &[0f32]).unwrap()).unwrap();
        self.wire(max(), &[input, zero])
    }

    fn sum(&mut self, a: OutletId, b: OutletId) -> OutletId {
        self.wire(add(), &[a, b])
    }

    fn finish(mut self, outputs: &[OutletId]) -> TypedModel {
        self.model.outputs = outputs.to_vec();
        self.model
    }
}

/// Shape, channels and strides of a test's network.
#[derive(Debug, Clone)]
struct Shape {
    height: usize,
    width: usize,
    colours: usize,
    channels: [usize; 2],
    stride: usize,
    side: usize,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let edge = prop_oneof![Just(7usize), Just(14), Just(12), Just(20), Just(40), 3usize..30];
    let channels = || prop_oneof![Just(16usize), Just(32), Just(48), Just(80), 1usize..60];
    (edge.clone(), edge, 1usize..5, channels(), channels(), 1usize..3, 1usize..4).prop_map(
        |(height, width, colours, a, b, stride, side)| Shape {
            height,
            width,
            colours,
            channels: [a, b],
            stride,
            side,
        },
    )
}

/// Stem, residual blocks with one and two convolutions, a step down, context back up, heads.
fn network(shape: &Shape) -> TypedModel {
    let [a, b] = shape.channels;
    let (height, width) = (2 * shape.height, 2 * shape.width);
    let (mut net, input) = Net::new([1, shape.colours, height, width], 7);
    let stem = net.conv(input, a, 3, shape.stride, 1);
    let fine = net.relu(stem);
    let body = net.conv(fine, a, 3, 1, 1);
    let sum = net.sum(fine, body);
    let fine = net.relu(sum);
    let (side, pad) = (shape.side, if shape.side == 2 { 0 } else { shape.side / 2 });
    let down = net.conv(fine, b, side, 2, pad);
    let mut coarse = net.relu(down);
    for _ in 0..2 {
        let first = net.conv(coarse, b, 3, 1, 1);
        let first = net.relu(first);
        let second = net.conv(first, b, 3, 1, 1);
        let sum = net.sum(second, coarse);
        coarse = net.relu(sum);
    }
    let mut outputs = vec![net.conv(coarse, 15, 1, 1, 0)];
    // The sizes meet again where the fine map is even.
    let even = |outlet: OutletId, net: &Net| {
        let shape = net.model.outlet_fact(outlet).unwrap().shape.as_concrete().unwrap().to_vec();
        [shape[2], shape[3]]
    };
    let up = net.transposed(coarse, a);
    outputs.push(if even(up, &net) == even(fine, &net) {
        let sum = net.sum(fine, up);
        let sum = net.relu(sum);
        net.conv(sum, 15, 3, 1, 1)
    } else {
        net.conv(up, 15, 1, 1, 0)
    });
    net.finish(&outputs)
}

fn run(model: TypedModel, inputs: &[Tensor]) -> Vec<Vec<Vec<f32>>> {
    let plan = model.into_decluttered().unwrap().into_optimized().unwrap().into_runnable().unwrap();
    let answers: Vec<_> = inputs.iter().map(|i| plan.run(tvec!(i.clone().into_tvalue())).unwrap()).collect();
    let flat = |value: &TValue| value.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
    answers.iter().map(|outputs| outputs.iter().map(flat).collect()).collect()
}

fn names(model: &TypedModel) -> Vec<String> {
    let order = model.eval_order().unwrap();
    order.iter().map(|id| model.nodes[*id].op.name().to_string()).filter(|n| n != "Const").collect()
}

fn worst(found: &[Vec<f32>], expected: &[Vec<f32>]) -> f32 {
    let mut worst = 0f32;
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
        for (f, e) in found.iter().zip(expected) {
            worst = worst.max((f - e).abs() / largest);
        }
    }
    worst
}

/// The same promises for every kernel. One that this processor lacks says so and is left out.
macro_rules! kernel_tests {
    ($($(#[$attribute:meta])* $name:ident: $kernel:expr;)*) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn here() -> bool {
                let here = Kernel::available().contains(&$kernel);
                if !here {
                    println!("left out: this processor has no {:?}", $kernel);
                }
                here
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(24))]
                #[test]
                fn answers_as_tract_does(shape in shapes(), seed in 0u64..1000) {
                    if !here() {
                        return Ok(());
                    }
                    let model = network(&shape);
                    let input = [1, shape.colours, 2 * shape.height, 2 * shape.width];
                    // Twice, since the second run writes where the first one did.
                    let inputs = [noise(&input, seed), noise(&input, seed + 1)];
                    let ours = rewritten(&model, $kernel).unwrap();
                    let (found, expected) = (run(ours, &inputs), run(model, &inputs));
                    for (found, expected) in found.iter().zip(&expected) {
                        let worst = worst(found, expected);
                        prop_assert!(worst < 1e-4, "{worst}");
                    }
                }
            }

            #[test]
            fn what_is_no_number_stays_none() {
                if !here() {
                    return;
                }
                for channels in [8, 16] {
                    let (mut net, input) = Net::new([1, 16, 8, 8], 3);
                    let map = net.conv(input, channels, 3, 2, 1);
                    let map = net.relu(map);
                    let model = rewritten(&net.finish(&[map]), $kernel).unwrap();
                    let broken = Tensor::from_shape(&[1, 16, 8, 8], &[f32::NAN; 16 * 64]).unwrap();
                    assert!(run(model, &[broken])[0][0].iter().all(|v| v.is_nan()));
                }
            }
        }
    )*};
}

kernel_tests! {
    plain: Kernel::Plain;
    #[cfg(target_arch = "x86_64")]
    avx2: Kernel::Avx2;
    #[cfg(target_arch = "x86_64")]
    avx512: Kernel::Avx512;
}

#[test]
fn sums_and_relus_vanish_into_the_convolutions() {
    let shape = Shape { height: 12, width: 20, colours: 3, channels: [16, 32], stride: 1, side: 3 };
    let mut names = names(&rewritten(&network(&shape), Kernel::best()).unwrap());
    names.sort();
    let count = |name: &str| names.iter().filter(|n| *n == name).count();
    assert_eq!((count("Source"), count("DenseConvolution"), count("PlanesOfMap")), (1, 10, 2));
    assert_eq!(names.len(), 13, "{names:?}");
}

#[test]
fn a_value_that_others_read_is_not_swallowed() {
    // The map before the sum is an output, and the one before the ReLU is read twice.
    let (mut net, input) = Net::new([1, 16, 9, 9], 5);
    let first = net.conv(input, 16, 3, 1, 1);
    let rectified = net.relu(first);
    let second = net.conv(rectified, 16, 3, 1, 1);
    let sum = net.sum(second, first);
    let model = net.finish(&[second, sum]);
    let inputs = [noise(&[1, 16, 9, 9], 1)];
    let ours = rewritten(&model, Kernel::best()).unwrap();
    assert!(worst(&run(ours, &inputs)[0], &run(model, &inputs)[0]) < 1e-5);
}

#[test]
fn what_is_not_known_stays_tracts() {
    let (mut net, input) = Net::new([1, 16, 12, 12], 5);
    let weights = net.constant(&[16, 1, 3, 3]);
    let bias = net.constant(&[16]);
    let spec = net.spec(input, 16, 3, 1, 1);
    let grouped = net.wire(Conv::new(spec, KernelFormat::OIHW, 16, None), &[input, weights, bias]);
    let mut spec = net.spec(grouped, 16, 3, 1, 1);
    spec.dilations = Some(tvec!(2, 2));
    let weights = net.constant(&[16, 16, 3, 3]);
    let dilated = net.wire(Conv::new(spec, KernelFormat::OIHW, 1, None), &[grouped, weights, bias]);
    let large = net.conv(dilated, 16, 5, 1, 2);
    let wide = net.conv(large, 16, 3, 1, 2);
    let model = net.finish(&[wide]);
    let ours = rewritten(&model, Kernel::best()).unwrap();
    assert_eq!(names(&ours), ["Source", "Conv", "Conv", "Conv", "Conv"]);
    let inputs = [noise(&[1, 16, 12, 12], 1)];
    assert!(worst(&run(ours, &inputs)[0], &run(model, &inputs)[0]) < 1e-6);
}

#[test]
fn answers_that_somebody_keeps_are_not_overwritten() {
    let (mut net, input) = Net::new([1, 3, 16, 16], 5);
    let map = net.conv(input, 16, 3, 2, 1);
    let model = rewritten(&net.finish(&[map]), Kernel::best()).unwrap();
    let plan = model.into_optimized().unwrap().into_runnable().unwrap();
    let run = |seed| plan.run(tvec!(noise(&[1, 3, 16, 16], seed).into_tvalue())).unwrap();
    let kept = run(1);
    let copy: Arc<Tensor> = Arc::new(kept[0].clone().into_tensor());
    let other = run(2);
    assert_eq!(*kept[0], *copy);
    assert_ne!(*other[0], *copy);
}
