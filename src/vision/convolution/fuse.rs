//! Which nodes of a network are replaced by our own. The network is written anew, node by node in
//! the order of computation; of each value it is known whether it lies as a map, as planes, or as
//! both, and planes are made of a map only where somebody else reads them.

use super::lanes::{HALF, Kernel};
use super::map::{Map, Reused};
use super::operator::{Convolution, Geometry, Planes, Source};
use std::collections::HashMap;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, PoolSpec};
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::math::{Add, Max};
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_core::ops::source::TypedSource;

/// The same network with our convolutions where they fit: batch 1, `f32`, fixed shape, dense,
/// square kernels up to 3, strides 1 and 2, no dilation. Call it before tract's own rewriting.
///
/// # Errors
/// In the engine's words, if a node cannot be put into the new network.
pub fn fuse(model: TypedModel) -> TractResult<TypedModel> {
    rewritten(&model, Kernel::best())
}

pub(super) fn rewritten(model: &TypedModel, kernel: Kernel) -> TractResult<TypedModel> {
    let mut rewriting = Rewriting {
        kernel,
        old: model,
        new: TypedModel::default(),
        planes: HashMap::new(),
        maps: HashMap::new(),
    };
    for id in model.eval_order()? {
        rewriting.node(id)?;
    }
    let outputs = model.outputs.iter().map(|outlet| rewriting.planes(*outlet)).collect::<TractResult<_>>()?;
    // The inputs in their order, whatever the order of computation.
    let inputs: Vec<_> = model.inputs.iter().filter_map(|i| rewriting.planes.get(i).copied()).collect();
    let mut new = rewriting.new;
    new.outputs = outputs;
    new.inputs = inputs;
    new.symbols = model.symbols.clone();
    for (old, new_outlet) in model.outputs.iter().zip(new.outputs.clone()) {
        if let Some(label) = model.outlet_label(*old) {
            new.set_outlet_label(new_outlet, label.to_owned())?;
        }
    }
    Ok(new)
}

struct Rewriting<'a> {
    kernel: Kernel,
    old: &'a TypedModel,
    new: TypedModel,
    /// Where a value of the old network lies in the new one, as it lay in the old.
    planes: HashMap<OutletId, OutletId>,
    /// Where it lies as a map.
    maps: HashMap<OutletId, (OutletId, Map)>,
}

/// A convolution that we can compute.
struct Found {
    geometry: Geometry,
    weights: Arc<Tensor>,
    bias: Arc<Tensor>,
}

impl Rewriting<'_> {
    fn node(&mut self, id: usize) -> TractResult<()> {
        let node = &self.old.nodes[id];
        if self.maps.contains_key(&OutletId::new(id, 0)) {
            return Ok(()); // The end of what was fused already.
        }
        if let Some(found) = self.found(node)? {
            return self.convolution(node, found);
        }
        if let Some(source) = node.op_as::<TypedSource>() {
            let outlet = self.new.add_source(&node.name, source.fact.clone())?;
            self.planes.insert(OutletId::new(id, 0), outlet);
            return Ok(());
        }
        let inputs = node.inputs.iter().map(|i| self.planes(*i)).collect::<TractResult<TVec<_>>>()?;
        let outlets = self.new.wire_node(&node.name, node.op.clone(), &inputs)?;
        for (slot, outlet) in outlets.into_iter().enumerate() {
            self.planes.insert(OutletId::new(id, slot), outlet);
        }
        Ok(())
    }

    /// The value as everything else wants it.
    fn planes(&mut self, old: OutletId) -> TractResult<OutletId> {
        if let Some(planes) = self.planes.get(&old) {
            return Ok(*planes);
        }
        let (outlet, map) = self.maps.get(&old).copied().context("a value was read before it was made")?;
        let name = format!("{}.planes", self.old.nodes[old.node].name);
        let planes = self.new.wire_node(name, Planes { map, outputs: Reused::default() }, &[outlet])?[0];
        self.planes.insert(old, planes);
        Ok(planes)
    }

    fn convolution(&mut self, node: &TypedNode, found: Found) -> TractResult<()> {
        let Found { geometry, weights, bias } = found;
        let output = geometry.output;
        let (source, input) = match self.maps.get(&node.inputs[0]) {
            Some((outlet, _)) => (Source::Map, *outlet),
            None => (Source::Planes, self.planes(node.inputs[0])?),
        };
        let mut inputs = tvec!(input);
        let mut end = OutletId::new(node.id, 0);
        let mut names = vec![node.name.clone()];
        if let Some((sum, other)) = self.sum_after(end, output) {
            inputs.push(other);
            end = sum;
            names.push(self.old.nodes[end.node].name.clone());
        }
        let relu = self.relu_after(end);
        if let Some(rectified) = relu {
            end = rectified;
        }
        let weights = weights.try_as_plain_ram()?.as_slice::<f32>()?;
        let bias = bias.try_as_plain_ram()?.as_slice::<f32>()?;
        let operator = Convolution::new(self.kernel, geometry, source, weights, bias, relu.is_some());
        let outlet = self.new.wire_node(&node.name, operator, &inputs)?[0];
        // Nobody reads the values between, see `only_reader`.
        for old in [OutletId::new(node.id, 0), end] {
            self.maps.insert(old, (outlet, output));
        }
        if let [_, sum] = names.as_slice() {
            let sum = self.old.node_id_by_name(sum)?;
            self.maps.insert(OutletId::new(sum, 0), (outlet, output));
        }
        Ok(())
    }

    /// The only node that reads this value, which is no output of the network.
    fn only_reader(&self, outlet: OutletId) -> Option<&TypedNode> {
        match self.old.outlet_successors(outlet) {
            [reader] if !self.old.outputs.contains(&outlet) => Some(&self.old.nodes[reader.node]),
            _ => None,
        }
    }

    /// A sum of this value with another map of the same size, and where that map lies.
    fn sum_after(&self, outlet: OutletId, map: Map) -> Option<(OutletId, OutletId)> {
        let reader = self.only_reader(outlet)?;
        if !reader.op_as::<TypedBinOp>()?.0.is::<Add>() {
            return None;
        }
        let other = reader.inputs.iter().find(|input| **input != outlet)?;
        let (other, size) = self.maps.get(other)?;
        (*size == map).then_some((OutletId::new(reader.id, 0), *other))
    }

    /// The larger of this value and zero.
    fn relu_after(&self, outlet: OutletId) -> Option<OutletId> {
        let reader = self.only_reader(outlet)?;
        if !reader.op_as::<TypedBinOp>()?.0.is::<Max>() {
            return None;
        }
        let other = reader.inputs.iter().find(|input| **input != outlet)?;
        let limit = constant(self.old, *other).ok()??;
        let zero = limit.len() == 1 && numbers(&limit).is_some_and(|n| n == [0.0]);
        let same = self.old.outlet_fact(outlet).ok()?.shape == reader.outputs[0].fact.shape;
        (zero && same).then_some(OutletId::new(reader.id, 0))
    }

    /// The convolution at `node`, if it is one that we can compute.
    fn found(&self, node: &TypedNode) -> TractResult<Option<Found>> {
        if let Some(conv) = node.op_as::<Conv>() {
            let plain = conv.group == 1 && conv.q_params.is_none();
            if plain && conv.kernel_fmt == KernelFormat::OIHW {
                return self.geometry(node, &conv.pool_spec, false);
            }
        }
        if let Some(deconv) = node.op_as::<Deconv>() {
            let plain = deconv.group == 1 && deconv.adjustments.iter().all(|a| *a == 0);
            if plain && deconv.kernel_format == KernelFormat::OIHW {
                return self.geometry(node, &deconv.pool_spec, true);
            }
        }
        Ok(None)
    }

    fn geometry(&self, node: &TypedNode, spec: &PoolSpec, transposed: bool) -> TractResult<Option<Found>> {
        let fact = self.old.outlet_fact(node.inputs[0])?;
        let result = &node.outputs[0].fact;
        let (Some(&[1, i, height, width]), Some(&[1, o, rows, columns])) =
            (fact.shape.as_concrete(), result.shape.as_concrete())
        else {
            return Ok(None);
        };
        let (&[side, same], &[stride, same_stride]) = (&spec.kernel_shape[..], &spec.strides()[..]) else {
            return Ok(None);
        };
        let square = side == same && stride == same_stride && spec.dilations().iter().all(|d| *d == 1);
        let floats = [fact.datum_type, result.datum_type].iter().all(|t| *t == f32::datum_type());
        if !square || !floats || spec.data_format != DataFormat::NCHW || i == 0 {
            return Ok(None);
        }
        let from_map = self.maps.contains_key(&node.inputs[0]);
        let input = Map { channels: i, height, width };
        let output = Map { channels: o, height: rows, width: columns };
        let pads: Vec<usize> = if transposed {
            let valid = (0..2).all(|axis| spec.padding.valid_dim(axis, false));
            let doubled = rows == 2 * height && columns == 2 * width;
            if !(from_map && valid && doubled && side == 2 && stride == 2) {
                return Ok(None);
            }
            vec![0, 0]
        } else {
            spec.computed_padding(&[height, width]).iter().map(|axis| axis.pad_before).collect()
        };
        let [pad, same_pad] = pads[..] else { return Ok(None) };
        // The ring is one pixel wide: what is read must end within it.
        let ends = |out: usize, size: usize| (out - 1) * stride + side <= size + 1 + pad;
        let fits = transposed || (rows > 0 && columns > 0 && ends(rows, height) && ends(columns, width));
        // Fewer outputs leave most lanes empty; reading planes pays only for many products a value.
        let worth = o >= HALF && (from_map || side > 1);
        if !(fits && worth && pad == same_pad && pad <= 1 && side <= 3 && (1..=2).contains(&stride)) {
            return Ok(None);
        }
        let (Some(weights), Some(bias)) =
            (constant(self.old, node.inputs[1])?, constant(self.old, node.inputs[2])?)
        else {
            return Ok(None);
        };
        let bias = if bias.len() == 1 { Arc::new(bias.broadcast_scalar_to_shape(&[o])?) } else { bias };
        let known = numbers(&weights).is_some_and(|w| w.len() == o * i * side * side)
            && weights.shape() == [o, i, side, side]
            && numbers(&bias).is_some_and(|b| b.len() == o);
        let geometry = Geometry { input, output, side, stride, pad, transposed };
        Ok(known.then_some(Found { geometry, weights, bias }))
    }
}

fn numbers(tensor: &Tensor) -> Option<&[f32]> {
    tensor.try_as_plain_ram().ok()?.as_slice::<f32>().ok()
}

/// The value of an outlet that depends on no input.
fn constant(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Arc<Tensor>>> {
    computed(model, outlet, 3)
}

/// The same through at most `depth` nodes.
fn computed(model: &TypedModel, outlet: OutletId, depth: usize) -> TractResult<Option<Arc<Tensor>>> {
    if let Some(value) = &model.outlet_fact(outlet)?.konst {
        return Ok(Some(value.clone()));
    }
    let node = &model.nodes[outlet.node];
    if let Some(value) = node.op_as::<Const>() {
        return Ok(Some(value.val().clone()));
    }
    if node.inputs.is_empty() || depth == 0 {
        return Ok(None);
    }
    let mut inputs = tvec!();
    for input in &node.inputs {
        let Some(value) = computed(model, *input, depth - 1)? else { return Ok(None) };
        inputs.push(TValue::from_const(value));
    }
    let values = node.op.eval_out_of_plan(inputs)?;
    Ok(values.and_then(|values| values.get(outlet.slot).map(|v| v.clone().into_arc_tensor())))
}
