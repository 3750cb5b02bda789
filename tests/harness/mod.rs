//! What the tests that drive the built program share: a scratch shop with its own folder and
//! ports, the running daemon, and the word for a test that had to be left out.
#![allow(dead_code)]

pub mod traces;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Says that a test was left out and why; a failure where nothing may be left out.
pub fn left_out(why: &str) {
    if std::env::var_os("SHOPGUIDE_LEAVE_NOTHING_OUT").is_some() {
        panic!("this test may not be left out here, but: {why}");
    }
    eprintln!("LEFT OUT: {why}");
}

/// Whether `program` can be started; says that the test is left out otherwise.
pub fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
        || Path::new("/usr/sbin").join(program).is_file();
    if !found {
        left_out(&format!("{program} is not installed on this machine"));
    }
    found
}

/// Real data kept beside the repository; says that the test is left out where it is not.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if !file.exists() {
        // Not a matter of installing: the data is not the project's to give away.
        eprintln!("LEFT OUT: {} is not on this machine", file.display());
        return None;
    }
    Some(file)
}

/// A port that was free a moment ago, and that nobody in this process was given before: the system may
/// give the same one twice.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let any = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::iter::repeat_with(any).find(|port| GIVEN.lock().unwrap().insert(*port)).unwrap()
}

/// The program with arguments.
pub fn shopguide<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(args: I) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shopguide"));
    command.args(args).stdin(Stdio::null()).env_remove("CREDENTIALS_DIRECTORY").env("NO_COLOR", "1");
    command
}

/// Everything a program printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs a command that must end by itself; if it goes on for a minute it is killed and the test fails.
pub fn ended(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it goes on and on: {command:?}\n{}", printed(&child.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    child.wait_with_output().unwrap()
}

/// Asks again and again until `condition` holds; fails with `what` after a generous minute.
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(60), what, condition)
}

/// Asks again and again until `condition` holds; fails with `what` after `limit`.
pub fn within<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// A shop in a scratch folder: its configuration, data and ports.
pub struct Shop {
    pub folder: TempDir,
    pub web: u16,
    pub mqtt: u16,
}

impl Shop {
    /// A shop whose configuration ends with `extra`: one store, web server and embedded broker on
    /// free ports.
    pub fn new(extra: &str) -> Self {
        let shop = Self::bare();
        let (web, mqtt) = (shop.web, shop.mqtt);
        shop.configure(&format!(
            "[broker]\nlisten = \"127.0.0.1:{mqtt}\"\n\n[web]\nlisten = \"127.0.0.1:{web}\"\n\n{extra}"
        ));
        shop
    }

    /// A folder and ports, without a configuration.
    pub fn bare() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), web: free_port(), mqtt: free_port() }
    }

    /// Writes the configuration.
    pub fn configure(&self, text: &str) {
        let head = "[store]\nid = \"test\"\nname = \"Test shop\"\n\n[storage]\nfolder = \"data\"\n\n";
        std::fs::write(self.config(), head.to_owned() + text).unwrap();
    }

    /// The configuration's path.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("shopguide.toml")
    }

    /// The folder of everything the daemon keeps.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs one command for this shop to its end.
    pub fn command(&self, args: &[&str]) -> Output {
        let config = self.config();
        shopguide(args).arg("--config").arg(config).output().unwrap()
    }

    /// Starts the daemon and waits until it is ready.
    pub fn run(&self) -> Daemon {
        self.run_with(&[], &[])
    }

    /// The same with more arguments and variables of the environment.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        let log = self.folder.path().join("daemon.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = shopguide(["run", "--config"])
            .arg(self.config())
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut daemon = Daemon { child, web: self.web, log };
        eventually("the daemon is ready", || {
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("the daemon ended with {status}:\n{}", daemon.logs());
            }
            (daemon.get("/readyz")?.0 == 200).then_some(())
        });
        daemon
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    pub child: Child,
    pub web: u16,
    pub log: PathBuf,
}

impl Daemon {
    /// Status code and body of a page; `None` if nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        let mut response = agent.get(format!("http://127.0.0.1:{}{path}", self.web)).call().ok()?;
        Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
    }

    /// Status code and body of the answer to what was sent; `None` if nobody answers.
    pub fn post(&self, path: &str, kind: &str, body: &[u8]) -> Option<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let url = format!("http://127.0.0.1:{}{path}", self.web);
        let mut response = agent.post(url).header("content-type", kind).send(body).ok()?;
        Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
    }

    /// One part of the status: its `health`, what it `says`, its `remedy`; `None` if there is no such part.
    pub fn part(&self, kind: &str, name: &str) -> Option<serde_json::Value> {
        let status = self.json("/api/status");
        let parts = status["parts"].as_array().unwrap();
        parts.iter().find(|p| p["kind"] == kind && p["name"] == name).cloned()
    }

    /// Waits until a part of the status is `health` and says `word`; returns all that it says.
    pub fn until(&self, kind: &str, name: &str, health: &str, word: &str) -> String {
        let mut last = None;
        let start = Instant::now();
        loop {
            let part = self.part(kind, name);
            let says = part.as_ref().and_then(|p| p["says"].as_str()).unwrap_or("").to_owned();
            if part.as_ref().is_some_and(|p| p["health"] == health) && says.contains(word) {
                return says;
            }
            last = part.or(last);
            assert!(
                start.elapsed() < Duration::from_secs(90),
                "{kind} {name} never was {health} saying {word:?}, but {last:?}\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A JSON answer.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) =
            self.get(path).unwrap_or_else(|| panic!("no answer from {path}:\n{}", self.logs()));
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// One number of `/metrics`, 0 if it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").map(|(_, body)| body).unwrap_or_default();
        let value = |line: &str| line.strip_prefix(name).and_then(|rest| rest.trim().parse().ok());
        text.lines().find_map(value).unwrap_or(0.0)
    }

    /// Everything it logged.
    pub fn logs(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal by name, e.g. `HUP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Asks it to end and waits; fails if it takes more than the promised 10 s (and some for a busy machine).
    pub fn stop(mut self) -> (std::process::ExitStatus, String) {
        self.signal("TERM");
        let status = within(Duration::from_secs(20), "the daemon ends", || self.child.try_wait().unwrap());
        let logs = self.logs();
        (status, logs)
    }

    /// Resident memory, KiB.
    pub fn rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or("");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// CPU time used so far, user and system.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A mosquitto of the test's own; killed when dropped.
pub struct Mosquitto {
    child: Child,
    pub port: u16,
    folder: PathBuf,
}

impl Mosquitto {
    /// Starts one on `port`, with its files in `folder`; `None` (left out) where it is not installed.
    pub fn start(folder: &Path, port: u16) -> Option<Self> {
        if !have("mosquitto") || !have("mosquitto_sub") {
            return None;
        }
        let config = folder.join("mosquitto.conf");
        std::fs::write(
            &config,
            format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"),
        )
        .unwrap();
        Some(Self::with(&config, port))
    }

    /// Starts one with a configuration that listens on `port`.
    pub fn with(config: &Path, port: u16) -> Self {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let child = Command::new("mosquitto")
            .env("PATH", path)
            .arg("-c")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("mosquitto listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, port, folder: config.parent().unwrap().to_owned() }
    }

    /// Kills it and starts it again.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        *self = Self::start(&self.folder.clone(), self.port).unwrap();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `mosquitto_sub` on everything of the contract, its lines (topic, payload) collected.
pub struct Listener {
    child: Child,
    lines: std::sync::mpsc::Receiver<(Instant, String, String)>,
}

impl Listener {
    /// Subscribes to `topic` at `port`.
    pub fn start(port: u16, topic: &str) -> Self {
        let mut child = Command::new("mosquitto_sub")
            .args(["-V", "5", "-h", "127.0.0.1", "-p", &port.to_string(), "-v", "-t", topic])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let (topic, payload) = line.split_once(' ').unwrap_or((&line, ""));
                if sender.send((Instant::now(), topic.to_owned(), payload.to_owned())).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next message, or `None` when nothing comes for `patience`.
    pub fn next(&self, patience: Duration) -> Option<(Instant, String, String)> {
        self.lines.recv_timeout(patience).ok()
    }

    /// Everything that has come so far.
    pub fn all(&self) -> Vec<(Instant, String, String)> {
        self.lines.try_iter().collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
