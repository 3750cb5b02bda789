//! `shopguide bench ..`: how fast the parts are on this machine. What is compared runs in the same
//! minutes, by turns, so that other work on the machine slows all of it alike.

mod frames;
mod onnxruntime;
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
}

/// Runs the measurement and prints it.
pub fn run(arguments: &Bench) -> anyhow::Result<()> {
    match &arguments.what {
        What::Vision(arguments) => {
            let report = vision::measure(arguments)?;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&report)?);
            } else {
                print!("{report}");
            }
        }
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
