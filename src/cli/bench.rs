//! `shopguide bench ..`: how fast the parts are on this machine. What is compared runs in the same
//! minutes, by turns, so that other work on the machine slows all of it alike.

mod answer;
mod capacity;
mod frames;
mod onnxruntime;
mod python;
mod recommend;
mod scan;
mod training;
mod vision;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The networks on one thread, and the whole way of a frame through vision.
    Vision(vision::Vision),
    /// How many cameras this machine carries at a rate.
    Capacity(capacity::Capacity),
    /// Scoring all products, and the whole answer for a member with a long history.
    Recommend(recommend::Recommend),
    /// A step of training, beside the same network in PyTorch.
    Training(training::Training),
}

/// Runs the measurement and prints it.
pub fn run(arguments: &Bench) -> anyhow::Result<()> {
    match &arguments.what {
        What::Vision(arguments) => print(&vision::measure(arguments)?, arguments.json)?,
        What::Capacity(arguments) => print(&capacity::measure(arguments)?, arguments.json)?,
        What::Recommend(arguments) => print(&recommend::measure(arguments)?, arguments.json)?,
        What::Training(arguments) => print(&training::measure(arguments)?, arguments.json)?,
    }
    Ok(())
}

fn print(report: &(impl serde::Serialize + std::fmt::Display), json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

/// The middle of some times; zero of none.
fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_middle_of_times_is_one_of_them() {
        assert_eq!(super::median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(super::median(&[]), 0.0);
    }
}
