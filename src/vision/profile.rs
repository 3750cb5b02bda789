//! Where a network's time goes: the engine's own plan run step by step under a clock. The steps are
//! those of the optimised network, so their names are the engine's and not the file's.

use super::network::Network;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;

/// One operator of an optimised network.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Operator {
    /// The engine's name of the operator, e.g. `OptMatMul`.
    pub name: String,
    /// Steps of the network that use it.
    pub steps: usize,
    /// Time in all of them together, of the fastest run of each.
    pub milliseconds: f64,
}

impl Network {
    /// Runs the network `runs` times on its present input and gives its operators, those that took
    /// longest first. The error is in the engine's words.
    pub fn profile(&self, runs: usize) -> Result<Vec<Operator>, String> {
        let mut best: BTreeMap<usize, (String, Duration)> = BTreeMap::new();
        let mut state = self.plan.spawn().map_err(|e| format!("{e:#}"))?;
        for _ in 0..runs.max(1) {
            let input = TValue::from_const(self.input.clone());
            let timed = state.run_plan_with_eval(tvec!(input), |context, state, node, values| {
                let begin = Instant::now();
                let result = eval(context, state, node, values);
                let took = begin.elapsed();
                let step = best.entry(node.id).or_insert_with(|| (node.op().name().into_owned(), took));
                step.1 = step.1.min(took);
                result
            });
            timed.map_err(|e| format!("{e:#}"))?;
        }
        let mut operators: BTreeMap<String, Operator> = BTreeMap::new();
        for (name, took) in best.into_values() {
            let empty = || Operator { name: name.clone(), steps: 0, milliseconds: 0.0 };
            let operator = operators.entry(name.clone()).or_insert_with(empty);
            operator.steps += 1;
            operator.milliseconds += took.as_secs_f64() * 1e3;
        }
        let mut operators: Vec<Operator> = operators.into_values().collect();
        operators.sort_by(|a, b| b.milliseconds.total_cmp(&a.milliseconds));
        Ok(operators)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::card::Task;

    #[test]
    fn every_step_of_a_network_is_in_its_profile() {
        let (_, network) = Network::open(None, Task::Embed).unwrap();
        let operators = network.profile(2).unwrap();
        assert!(operators.iter().any(|o| o.steps > 1), "{operators:?}");
        assert!(operators.windows(2).all(|pair| pair[0].milliseconds >= pair[1].milliseconds));
        let steps: usize = operators.iter().map(|o| o.steps).sum();
        assert_eq!(steps, network.plan.order_without_consts().len());
    }
}
