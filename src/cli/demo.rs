//! `shopguide demo`: a made-up shop on this machine, through the same parts as a real one. Rendered
//! shoppers walk before two cameras; the program prints where to look. With `--once` it plays one
//! bounded scene, says what came of it at each stage, and fails if a stage did not do its part.

use crate::camera::DemoFeed;
use crate::clock::Clock;
use crate::daemon::{Brought, Daemon};
use crate::demo::report::{Evidence, Report, report};
use crate::demo::scene::Scene;
use crate::demo::shelf_display::ShelfDisplay;
use crate::demo::world::World;
use crate::demo::{export, prepare};
use crate::id::{CameraId, MemberId, ZoneId};
use crate::ops::log;
use crate::ops::settings::Settings;
use crate::storage::Store;
use crate::vision::Eyes;
use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// The zones, each with a camera and a display of the same name.
const ZONES: [&str; 2] = ["entrance", "tea"];
/// After the bounded scene: time for the last slate to be shown and confirmed, and for visits to end.
const AFTERGLOW: Duration = Duration::from_secs(6);

/// The arguments of `shopguide demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Play one bounded scene, report, and end.
    #[arg(long)]
    once: bool,
    /// Print the report of `--once` as JSON.
    #[arg(long, requires = "once")]
    json: bool,
    /// Everything made up is drawn from this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the pages are; the next free port is taken if it is not free.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the embedded broker listens; likewise.
    #[arg(long, default_value = "127.0.0.1:1883")]
    mqtt: SocketAddr,
    /// Speak to this broker (host:port) instead of the embedded one.
    #[arg(long, value_name = "HOST:PORT")]
    broker: Option<String>,
    /// Card of another detector than the one inside the program.
    #[arg(long, value_name = "CARD.toml")]
    detector: Option<PathBuf>,
    /// Card of another embedder.
    #[arg(long, value_name = "CARD.toml")]
    embedder: Option<PathBuf>,
    /// Keep the demo's data in this folder, which must be empty; otherwise it goes when the demo ends.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// A log filter, e.g. `info`.
    #[arg(long, default_value = "warn")]
    log: String,
    /// Write pictures of rendered shoppers, for training, into this folder and end.
    #[arg(long, hide = true, value_name = "FOLDER")]
    export_faces: Option<PathBuf>,
    /// How many identities to write.
    #[arg(long, hide = true, default_value_t = 600)]
    count: usize,
}

/// Runs it.
pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.export_faces {
        export::export_faces(folder, args.count, args.seed)?;
        return Ok(ExitCode::SUCCESS);
    }
    log::init(&args.log, None)?;
    let scratch = match &args.folder {
        Some(_) => None,
        None => Some(Scratch::new("demo")?),
    };
    let folder =
        args.folder.clone().or_else(|| scratch.as_ref().map(|s| s.0.clone())).context("no folder")?;
    let demo = Demo::start(args, &folder)?;
    let code = if args.once { demo.once(args)? } else { demo.show()? };
    Ok(code)
}

/// A folder that goes when it is dropped.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(what: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("shopguide-{what}-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("shopguide: {} could not be removed: {error}", self.0.display());
        }
    }
}

struct Demo {
    clock: Clock,
    world: World,
    members: Vec<MemberId>,
    scene: Arc<Scene>,
    daemon: Daemon,
    shelves: BTreeMap<ZoneId, ShelfDisplay>,
    database: PathBuf,
    began: Arc<OnceLock<Instant>>,
}

impl Demo {
    fn start(args: &DemoArgs, folder: &Path) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let web = free_near(args.listen)?;
        let broker = match &args.broker {
            Some(text) => text.clone(),
            None => free_near(args.mqtt)?.to_string(),
        };
        let mut settings = settings(web, &broker, args.broker.is_none(), folder)?;
        settings.vision.detector.clone_from(&args.detector);
        settings.vision.embedder.clone_from(&args.embedder);
        let bar = progress_bar(args);
        bar.set_message("drawing the shop");
        let world = World::new(args.seed, clock.now().utc);
        let store = Store::open(&settings.storage)?;
        let mut eyes = Eyes::load(&settings.vision)?;
        let mut progress = |what: &str, done: usize, of: usize| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            bar.set_message(what.to_owned());
        };
        let members = prepare::fill(&world, &store, &mut eyes, clock.now(), &mut progress)?;
        world.cast.prepare(|done| progress("dressing the cast", done, 50));
        bar.finish_and_clear();

        let began = Arc::new(OnceLock::new());
        let scenes: Vec<Arc<Scene>> =
            (0..ZONES.len()).map(|i| Arc::new(Scene::new(args.seed, world.cast.clone(), i))).collect();
        let mut feeds = HashMap::new();
        for (zone, scene) in ZONES.iter().zip(&scenes) {
            feeds.insert(CameraId::new(*zone)?, feed(scene.clone(), began.clone(), args.once));
        }
        let database = folder.join("shop.sqlite");
        let (host, port) = broker.rsplit_once(':').context("--broker takes HOST:PORT")?;
        let port: u16 = port.parse().context("--broker takes HOST:PORT")?;
        let brought = Brought { store: Some(store), eyes: Some(eyes), feeds };
        let daemon = Daemon::start(settings, clock.clone(), brought)?;
        let mut shelves = BTreeMap::new();
        for zone in ZONES {
            shelves.insert(ZoneId::new(zone)?, ShelfDisplay::start(host, port, "demo", zone, clock.clone())?);
        }
        let scene = scenes.into_iter().next().context("no scene")?;
        Ok(Self { clock, world, members, scene, daemon, shelves, database, began })
    }

    /// Runs until somebody ends it.
    fn show(self) -> anyhow::Result<ExitCode> {
        let web = self.daemon.web();
        println!("shopguide demo: nobody you see here exists.\n");
        println!("  the whole path on one page   http://{web}/live");
        for zone in ZONES {
            println!("  display \"{zone}\"{:pad$}http://{web}/display/{zone}", "", pad = 18 - zone.len());
        }
        println!("  how everything is            http://{web}/status");
        if let Some(broker) = self.daemon.broker() {
            println!(
                "\n  MQTT: mosquitto_sub -V 5 -h {} -p {} -v -t 'shopguide/#'",
                broker.ip(),
                broker.port()
            );
        }
        println!("\nEnd it with Ctrl-C.");
        let _ = self.began.set(Instant::now());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            anyhow::Ok(())
        })?;
        drop(self.shelves);
        self.daemon.stop();
        Ok(ExitCode::SUCCESS)
    }

    /// Plays the bounded scene and reports.
    fn once(self, args: &DemoArgs) -> anyhow::Result<ExitCode> {
        let zones: Vec<ZoneId> = ZONES.iter().map(|z| ZoneId::new(*z)).collect::<Result<_, _>>()?;
        let began = self.clock.now();
        let _ = self.began.set(Instant::now());
        std::thread::sleep(Scene::bounded() + AFTERGLOW);
        let received = self.shelves.iter().map(|(zone, shelf)| (zone.clone(), shelf.received())).collect();
        let metrics = self.daemon.metrics().clone();
        drop(self.shelves);
        self.daemon.stop();
        let frames = ZONES.iter().map(|z| ((*z).to_owned(), metrics.frames_of(z))).collect();
        let report = report(Evidence {
            world: &self.world,
            members: &self.members,
            began,
            facing: &self.scene.facing(0),
            zones: &zones,
            received,
            database: &self.database,
            counts: (frames, metrics.faces.get(), metrics.embeddings.get()),
        })?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print_report(&report);
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// JPEG frames of `scene` from the moment it began; before, the empty shop. A bounded scene ends
/// with the empty shop, too.
fn feed(scene: Arc<Scene>, began: Arc<OnceLock<Instant>>, bounded: bool) -> DemoFeed {
    Box::new(move || {
        let mut at = began.get().map_or(Duration::ZERO, Instant::elapsed);
        if bounded {
            at = at.min(Scene::bounded() - Duration::from_millis(1));
        }
        let (picture, _) = scene.frame(at);
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 88).encode_image(&picture).ok()?;
        Some(jpeg)
    })
}

/// `wanted`, or the next address whose port is free.
fn free_near(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let ports =
        (wanted.port()..=wanted.port().saturating_add(50)).map(|port| SocketAddr::new(wanted.ip(), port));
    let free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
    ports.into_iter().find(free).ok_or_else(|| anyhow!("{wanted} and the 50 ports after it are taken"))
}

fn settings(web: SocketAddr, broker: &str, embedded: bool, folder: &Path) -> anyhow::Result<Settings> {
    use std::fmt::Write;
    let (host, port) = broker.rsplit_once(':').context("--broker takes HOST:PORT")?;
    let mut text = format!(
        "[store]\nid = \"demo\"\nname = \"Corner Shop (demo)\"\ncurrency = \"€\"\n\n[storage]\nfolder = {:?}\n\n\
         [web]\nlisten = \"{web}\"\nlive_view = true\n\n",
        folder.display().to_string(),
    );
    if embedded {
        write!(text, "[broker]\nlisten = \"{broker}\"\n\n")?;
    } else {
        write!(text, "[mqtt]\nhost = {host:?}\nport = {port}\n\n")?;
    }
    for (zone, title) in ZONES.iter().zip(["Welcome to the Corner Shop", "Tea, coffee and more"]) {
        write!(text, "[[camera]]\nid = \"{zone}\"\nzone = \"{zone}\"\nsource = \"demo\"\n\n")?;
        write!(text, "[[display]]\nid = \"{zone}\"\nzone = \"{zone}\"\ntitle = {title:?}\n\n")?;
    }
    let (settings, _) = Settings::from_str(&text, Path::new("demo.toml")).map_err(|m| anyhow!("{m}"))?;
    Ok(settings)
}

fn progress_bar(args: &DemoArgs) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg:30} {bar:30} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

fn print_report(report: &Report) {
    for (camera, frames) in &report.frames {
        println!("camera {camera}: {frames} frames looked at");
    }
    println!("vision: {} faces found, {} embedded", report.faces, report.embeddings);
    for m in &report.members {
        let yes = |is: bool| if is { "yes" } else { "NO" };
        println!(
            "{} at {}, {:.1} s: recognised {}, slate {}, reasons true {}, impression {}{}",
            m.alias,
            m.zone,
            m.faced_s,
            yes(m.recognised),
            yes(m.published),
            yes(m.true_reasons),
            yes(m.impression),
            m.reason.as_ref().map_or_else(String::new, |r| format!("\n    \"{r}\""))
        );
    }
    println!(
        "strangers: {} faced a camera, {} taken for a member",
        report.strangers_faced, report.strangers_taken_for_members
    );
    println!("published: {} personal slates, {} impressions", report.slates_published, report.impressions);
    if let Some(latency) = &report.latency_ms {
        println!(
            "capture to acknowledgement: p50 {} ms, p95 {} ms (of {})",
            latency.p50, latency.p95, latency.count
        );
    }
    for failure in &report.failures {
        println!("FAILED: {failure}");
    }
    println!("{}", if report.ok { "Every stage did its part." } else { "Not every stage did its part." });
}
