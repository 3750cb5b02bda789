//! `shopguide bench vision`: our networks in tract on one thread, and with `--peers` networks by
//! others of the same task and input in onnxruntime (the usual runtime) and in tract, all by turns.

use super::frames::{self, WholePath};
use super::median;
use super::onnxruntime::Onnxruntime;
use crate::cli::references::{self, References};
use crate::cli::table::table;
use crate::vision::card::{Card, Task};
use crate::vision::network::Network;
use crate::vision::profile::Operator;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs of each network in one round.
const RUNS: usize = 5;
/// Times a network is loaded to time that.
const LOADS: usize = 3;

/// `bench vision`.
#[derive(Debug, clap::Args)]
pub struct Vision {
    /// Compare with networks by others, in onnxruntime (python3 with onnxruntime) and in tract.
    #[arg(long)]
    pub peers: bool,
    /// Print where our networks' time goes, by tract's operators.
    #[arg(long)]
    pub profile: bool,
    /// Rounds; in each, every network runs five times.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub rounds: usize,
    /// Folder with our cards of other sizes than those inside the program.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Where networks by others are.
    #[command(flatten)]
    pub references: References,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of onnxruntime, if networks ran in it.
    pub onnxruntime: Option<String>,
    /// What could not be measured, and why.
    pub left_out: Vec<String>,
    /// Our networks.
    pub networks: Vec<OwnFigures>,
    /// The whole way of a frame, with the networks inside the program.
    pub frame: WholePath,
}

/// One of our networks in tract.
#[derive(Debug, Serialize)]
pub struct OwnFigures {
    /// Name and version.
    pub model: String,
    /// Its input, `[1, 3, height, width]`.
    pub input: [usize; 4],
    /// Reading, checking, optimising and the golden run; of a card with several shapes, the share of one.
    pub load_ms: f64,
    /// Middle of all runs.
    pub median_ms: f64,
    /// The fastest.
    pub min_ms: f64,
    /// Networks by others of the same task and input.
    pub peers: Vec<PeerFigures>,
    /// Where the time goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<Operator>,
}

/// A network by others.
#[derive(Debug, Serialize)]
pub struct PeerFigures {
    /// Its name.
    pub model: String,
    /// What ran it.
    pub runtime: &'static str,
    /// Middle of all runs.
    pub median_ms: f64,
    /// The fastest.
    pub min_ms: f64,
    /// Our median over this one: below 1, ours is faster.
    pub ratio: f64,
}

enum Engine {
    Tract(Box<Network>),
    Onnxruntime(u64),
}

/// A network that takes its turn.
struct Contender {
    model: String,
    engine: Engine,
    ms: Vec<f64>,
}

impl Contender {
    fn new(card: &Card, engine: Engine) -> Contender {
        Contender { model: card.id(), engine, ms: Vec::new() }
    }

    /// One turn; an error ends the measurement.
    fn turn(&mut self, runtime: Option<&mut Onnxruntime>) -> anyhow::Result<()> {
        let failed = |e: String| anyhow::anyhow!("{} failed: {e}", self.model);
        match (&mut self.engine, runtime) {
            (Engine::Tract(network), _) => {
                for _ in 0..RUNS {
                    let begin = Instant::now();
                    network.run(|_| ()).map_err(failed)?;
                    self.ms.push(begin.elapsed().as_secs_f64() * 1e3);
                }
            }
            (Engine::Onnxruntime(number), Some(runtime)) => {
                self.ms.extend(runtime.run(*number, RUNS).map_err(failed)?.iter().map(|us| us / 1e3));
            }
            (Engine::Onnxruntime(_), None) => {}
        }
        Ok(())
    }
}

/// One of our networks, and those it is compared with.
struct Group {
    card: Card,
    load_ms: f64,
    own: Contender,
    peers: Vec<Contender>,
}

/// Our networks: those inside the program, and those of the folder that are not among them.
fn own(folder: &Path, left_out: &mut Vec<String>) -> anyhow::Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut paths: Vec<Option<PathBuf>> = vec![None];
    match std::fs::read_dir(folder) {
        Ok(entries) => paths.extend(entries.filter_map(|e| e.ok()).map(|e| Some(e.path()))),
        Err(error) => {
            left_out.push(format!("networks of other sizes: cannot list {} ({error})", folder.display()))
        }
    }
    paths.retain(|path| path.as_ref().is_none_or(|path| path.extension().is_some_and(|end| end == "toml")));
    paths.sort();
    for task in [Task::Detect, Task::Embed] {
        for path in &paths {
            if let Some(path) = path {
                let card = references::read(path)?;
                if card.task != task || groups.iter().any(|g| g.card.sha256 == card.sha256) {
                    continue;
                }
            }
            let mut loads = Vec::new();
            let mut opened = Vec::new();
            for _ in 0..LOADS {
                let begin = Instant::now();
                opened = Network::open_shapes(path.as_deref(), None, task)?;
                loads.push(begin.elapsed().as_secs_f64() * 1e3);
            }
            let load_ms = median(&loads) / opened.len().max(1) as f64;
            for (card, network) in opened {
                let own = Contender::new(&card, Engine::Tract(Box::new(network)));
                groups.push(Group { card, load_ms, own, peers: Vec::new() });
            }
        }
    }
    Ok(groups)
}

/// Adds to each group the networks by others that have its task and input.
fn add_peers(
    groups: &mut [Group],
    references: &References,
    mut runtime: Option<&mut Onnxruntime>,
    left_out: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut found = references.found(Task::Detect)?;
    found.extend(references.found(Task::Embed)?);
    for (path, card) in &found {
        let fits = |g: &&mut Group| g.card.task == card.task && g.card.input.shape == card.input.shape;
        let Some(group) = groups.iter_mut().find(fits) else { continue };
        if let (Some(runtime), Some(file)) = (runtime.as_deref_mut(), references.network(path, card)) {
            match runtime.load(&file, card) {
                Ok(number) => group.peers.push(Contender::new(card, Engine::Onnxruntime(number))),
                Err(reason) => left_out.push(format!("{} in onnxruntime: {reason}", card.name)),
            }
        }
        match Network::open_with(path, &references.weights, card.task) {
            Ok((card, network)) => group.peers.push(Contender::new(&card, Engine::Tract(Box::new(network)))),
            Err(reason) => left_out.push(format!("{} in tract: {reason}", card.name)),
        }
    }
    Ok(())
}

/// Measures everything that was asked for.
pub fn measure(arguments: &Vision) -> anyhow::Result<Report> {
    let mut left_out = Vec::new();
    let mut groups = own(&arguments.models, &mut left_out)?;
    let mut runtime = None;
    if arguments.peers {
        match Onnxruntime::start() {
            Ok(started) => runtime = Some(started),
            Err(reason) => left_out.push(format!("onnxruntime: {reason}")),
        }
        add_peers(&mut groups, &arguments.references, runtime.as_mut(), &mut left_out)?;
    }
    let mut contenders: Vec<&mut Contender> =
        groups.iter_mut().flat_map(|g| std::iter::once(&mut g.own).chain(&mut g.peers)).collect();
    for round in 0..=arguments.rounds.max(1) {
        for contender in &mut contenders {
            contender.turn(runtime.as_mut())?;
            if round == 0 {
                contender.ms.clear(); // to warm up
            }
        }
        contenders.reverse(); // so that nobody always follows the same one
    }
    drop(contenders);
    let networks = groups.iter().map(|group| figures(group, arguments)).collect::<anyhow::Result<_>>()?;
    Ok(Report {
        onnxruntime: runtime.map(|r| r.version.clone()),
        left_out,
        networks,
        frame: frames::measure()?,
    })
}

fn figures(group: &Group, arguments: &Vision) -> anyhow::Result<OwnFigures> {
    let min = |ms: &[f64]| ms.iter().copied().fold(f64::INFINITY, f64::min);
    let median_ms = median(&group.own.ms);
    let peer = |c: &Contender| PeerFigures {
        model: c.model.clone(),
        runtime: if matches!(c.engine, Engine::Tract(_)) { "tract" } else { "onnxruntime" },
        median_ms: median(&c.ms),
        min_ms: min(&c.ms),
        ratio: median_ms / median(&c.ms).max(1e-9),
    };
    let operators = match &group.own.engine {
        Engine::Tract(network) if arguments.profile => {
            network.profile(arguments.rounds).map_err(anyhow::Error::msg)?
        }
        _ => Vec::new(),
    };
    Ok(OwnFigures {
        model: group.own.model.clone(),
        input: group.card.input.shape,
        load_ms: group.load_ms,
        median_ms,
        min_ms: min(&group.own.ms),
        peers: group.peers.iter().map(peer).collect(),
        operators,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        let ms = |value: f64| format!("{value:.2}");
        for n in &self.networks {
            let [_, _, h, w] = n.input;
            let row = |model: &str, runtime: &str, median, min, ratio: String, load: String| {
                vec![
                    model.to_owned(),
                    format!("{w}x{h}"),
                    runtime.to_owned(),
                    ms(median),
                    ms(min),
                    ratio,
                    load,
                ]
            };
            rows.push(row(&n.model, "tract", n.median_ms, n.min_ms, "1".into(), ms(n.load_ms)));
            let peers = n.peers.iter();
            rows.extend(peers.map(|p| {
                row(&format!("  {}", p.model), p.runtime, p.median_ms, p.min_ms, ms(p.ratio), "".into())
            }));
        }
        let header = ["one thread", "input", "runtime", "median ms", "min ms", "ours / this", "load ms"];
        write!(f, "{}", table(&header, &rows))?;
        if let Some(version) = &self.onnxruntime {
            writeln!(f, "onnxruntime {version}, by turns with ours")?;
        }
        for what in &self.left_out {
            writeln!(f, "left out: {what}")?;
        }
        let p = &self.frame;
        writeln!(
            f,
            "\na frame of {}x{}, medians of {}: prepare {} ms, detect {} ms, judge {} ms, embed {} ms ({} faces embedded); together {} ms",
            p.size.0,
            p.size.1,
            p.frames,
            ms(p.prepare_ms),
            ms(p.detect_ms),
            ms(p.judge_ms),
            ms(p.embed_ms),
            p.embedded,
            ms(p.total_ms)
        )?;
        for n in self.networks.iter().filter(|n| !n.operators.is_empty()) {
            let total: f64 = n.operators.iter().map(|o| o.milliseconds).sum();
            let row = |o: &Operator| {
                let share = format!("{:.1}%", 100.0 * o.milliseconds / total);
                vec![o.name.clone(), o.steps.to_string(), ms(o.milliseconds), share]
            };
            let rows: Vec<_> = n.operators.iter().map(row).collect();
            let title = format!("{} {}x{}", n.model, n.input[3], n.input[2]);
            write!(f, "\n{}", table(&[&title, "steps", "ms", "share"], &rows))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_peers_and_folder_the_networks_inside_are_measured() {
        let nowhere = PathBuf::from("/nowhere");
        let report = measure(&Vision {
            peers: true,
            profile: true,
            rounds: 1,
            models: nowhere.clone(),
            json: false,
            references: References { references: nowhere.clone(), weights: nowhere },
        })
        .unwrap();
        let inputs: Vec<_> = report.networks.iter().map(|n| (n.input[3], n.input[2])).collect();
        assert_eq!(inputs, [(640, 384), (640, 480), (640, 640), (112, 112)]);
        assert!(
            report.networks.iter().all(|n| n.median_ms >= n.min_ms && n.min_ms > 0.0 && n.peers.is_empty())
        );
        assert!(report.left_out[0].contains("/nowhere"), "{:?}", report.left_out);
        assert!(report.to_string().contains("share"));
    }
}
