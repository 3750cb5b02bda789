//! What can be said of an ONNX file before the engine touches it: that its weights are as large
//! as they claim, that it stands alone in one file, and that it holds nothing that could ask for
//! more memory than the file itself. An allocation that fails would end the program, which no
//! `catch_unwind` can prevent; hence these checks come first.

use super::card::Card;
use super::network::Problem;
use std::collections::HashMap;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Kind;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

/// Most numbers that constants may be combined from before the first run.
const FOLD_LIMIT: u64 = 4096;
/// Operators that make large values from small files, draw random numbers or run other graphs.
const REFUSED: [&str; 14] = [
    "ConstantOfShape",
    "Expand",
    "Tile",
    "Range",
    "OneHot",
    "EyeLike",
    "If",
    "Loop",
    "Scan",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
];
/// Operators that only carry a constant on, whatever its size.
const CARRIES: [&str; 8] =
    ["Identity", "Cast", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Constant"];

/// Refuses a network that may not be handed to the engine.
pub fn inspect(proto: &ModelProto, card: &Card) -> Result<(), Problem> {
    let refuse = |what: String| Err(Problem::Network(what));
    let Some(graph) = &proto.graph else {
        return refuse(format!("{} holds no graph: it is not an ONNX network", card.file));
    };
    // Name and count of numbers of every value that does not depend on the input.
    let mut constants: HashMap<&str, u64> = HashMap::new();
    for tensor in &graph.initializer {
        check_tensor(tensor)?;
        constants.insert(&tensor.name, numbers(tensor));
    }
    check_interface(graph, card, &constants)?;
    for node in &graph.node {
        if REFUSED.contains(&node.op_type.as_str()) {
            return refuse(format!("it uses the operator {}, which is not accepted", node.op_type));
        }
        check_attributes(node)?;
        let mut size = 0u64;
        let mut constant = true;
        for input in node.input.iter().filter(|name| !name.is_empty()) {
            match constants.get(input.as_str()) {
                Some(count) => size = size.saturating_add(*count),
                None => constant = false,
            }
        }
        if !constant {
            continue;
        }
        if node.op_type == "Constant" {
            size = node.attribute.iter().filter_map(|a| a.t.as_ref()).map(numbers).sum();
        } else if !CARRIES.contains(&node.op_type.as_str()) {
            if size > FOLD_LIMIT {
                return refuse(format!(
                    "its operator {} combines {size} constant numbers: export it with constants folded",
                    node.op_type
                ));
            }
            size = FOLD_LIMIT;
        }
        for output in &node.output {
            constants.insert(output, size);
        }
    }
    Ok(())
}

fn numbers(tensor: &TensorProto) -> u64 {
    tensor.dims.iter().fold(1u64, |n, &d| n.saturating_mul(d.max(0) as u64))
}

/// The tensor's shape claims no more than the file holds.
fn check_tensor(tensor: &TensorProto) -> Result<(), Problem> {
    let refuse = |what: String| Err(Problem::Network(format!("its tensor {:?} {what}", tensor.name)));
    if tensor.data_location.unwrap_or(0) != 0 || !tensor.external_data.is_empty() {
        return refuse("lies in another file; everything must be in one".into());
    }
    if tensor.dims.iter().any(|&d| d < 0) {
        return refuse("has a negative side".into());
    }
    let held = tensor.raw_data.len()
        + 8 * (tensor.float_data.len() + tensor.int32_data.len() + tensor.int64_data.len())
        + 8 * (tensor.double_data.len() + tensor.uint64_data.len() + tensor.string_data.len());
    if numbers(tensor) > held as u64 {
        return refuse(format!("claims {} numbers, the file holds fewer", numbers(tensor)));
    }
    Ok(())
}

fn check_attributes(node: &NodeProto) -> Result<(), Problem> {
    let refuse = |what: &str| Err(Problem::Network(format!("its operator {} {what}", node.op_type)));
    for attribute in &node.attribute {
        if attribute.g.is_some() || !attribute.graphs.is_empty() {
            return refuse("holds a graph of its own, which is not accepted");
        }
        for tensor in attribute.t.iter().chain(&attribute.tensors) {
            check_tensor(tensor)?;
        }
        if attribute.ints.iter().any(|i| i.unsigned_abs() > 1 << 24 && *i != i64::MAX && *i != i64::MIN) {
            return refuse("has an attribute beyond all measure");
        }
    }
    Ok(())
}

/// Input and output names and the input's shape are those of the card.
fn check_interface(graph: &GraphProto, card: &Card, constants: &HashMap<&str, u64>) -> Result<(), Problem> {
    let inputs: Vec<_> = graph.input.iter().filter(|i| !constants.contains_key(i.name.as_str())).collect();
    let [input] = inputs[..] else {
        return Err(Problem::Network(format!("it has {} inputs, expected one", inputs.len())));
    };
    if input.name != card.input.name {
        return Err(Problem::Network(format!(
            "its input is named {:?}, the card says {:?}",
            input.name, card.input.name
        )));
    }
    if let Some(Kind::TensorType(tensor)) = input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        // 0 stands for a side that the file leaves open.
        let dims = tensor.shape.iter().flat_map(|s| &s.dim);
        let found: Vec<usize> = dims
            .map(|d| match d.value {
                Some(Dimension::DimValue(n)) => n.max(0) as usize,
                _ => 0,
            })
            .collect();
        let same = found.len() == 4 && found.iter().zip(card.input.shape).all(|(&f, c)| f == 0 || f == c);
        if !same {
            let expected = format!("{:?}", card.input.shape);
            return Err(Problem::Shape { place: format!("input {:?}", input.name), expected, found });
        }
    }
    for name in &card.output.names {
        if !graph.output.iter().any(|o| &o.name == name) {
            let known: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
            return Err(Problem::Network(format!("it has no output {name:?}; its outputs are {known:?}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card::parse(include_str!("../../models/embedder.toml")).unwrap()
    }

    fn tensor(name: &str, dims: &[i64], bytes: usize) -> TensorProto {
        TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: 1,
            raw_data: vec![0; bytes],
            ..TensorProto::default()
        }
    }

    fn node(op: &str, inputs: &[&str]) -> NodeProto {
        NodeProto {
            op_type: op.into(),
            input: inputs.iter().map(|s| s.to_string()).collect(),
            output: vec!["embedding".into()],
            ..NodeProto::default()
        }
    }

    fn refusal(tensors: Vec<TensorProto>, nodes: Vec<NodeProto>) -> String {
        let value = |name: &str| tract_onnx::pb::ValueInfoProto { name: name.into(), ..Default::default() };
        let graph = GraphProto {
            initializer: tensors,
            node: nodes,
            input: vec![value("input")],
            output: vec![value("embedding")],
            ..GraphProto::default()
        };
        let proto = ModelProto { graph: Some(graph), ..ModelProto::default() };
        inspect(&proto, &card()).err().map(|p| p.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_tensor_that_claims_more_than_the_file_holds_is_refused() {
        let error = refusal(vec![tensor("w", &[1 << 40, 4], 64)], vec![]);
        assert!(error.contains("\"w\" claims"), "{error}");
        assert_eq!(refusal(vec![tensor("w", &[4, 4], 64)], vec![]), "");
    }

    #[test]
    fn operators_that_ask_for_huge_memory_are_refused() {
        let error = refusal(vec![tensor("s", &[2], 16)], vec![node("ConstantOfShape", &["s"])]);
        assert!(error.contains("ConstantOfShape"), "{error}");
        let wide = vec![tensor("a", &[100_000, 1], 400_000), tensor("b", &[1, 100_000], 400_000)];
        let error = refusal(wide, vec![node("MatMul", &["a", "b"])]);
        assert!(error.contains("MatMul combines 200000"), "{error}");
    }

    #[test]
    fn weights_in_another_file_are_refused() {
        let outside = TensorProto { data_location: Some(1), ..tensor("w", &[4], 16) };
        let error = refusal(vec![outside], vec![]);
        assert!(error.contains("another file"), "{error}");
    }
}
