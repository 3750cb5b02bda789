//! Another machine, and the packages to install in it: a Debian made by debootstrap, booted by
//! systemd-nspawn, in which commands are run. It has what a shop may have beside the program: ffmpeg,
//! mosquitto, curl.

use crate::harness::{have, left_out, printed, within};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

const MIRROR: &str = "http://deb.debian.org/debian";

/// Whether this machine can boot another one; says so if not.
pub fn can_boot() -> bool {
    if let Ok(why) = std::env::var("SHOPGUIDE_WITHOUT_SYSTEMD") {
        eprintln!("LEFT OUT: {why}");
        return false;
    }
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        left_out("only root can boot a container");
        return false;
    }
    ["debootstrap", "systemd-nspawn", "nsenter", "dpkg-deb", "cargo-deb"].into_iter().all(have)
}

pub fn done(what: &str, output: Output) -> String {
    let said = printed(&output);
    assert!(output.status.success(), "{what}: {}\n{said}", output.status);
    said
}

pub fn tmp(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What the machine has beside the program.
const PROGRAMS: &str = "systemd,systemd-sysv,dbus,ffmpeg,mosquitto,mosquitto-clients,curl";

/// A Debian, made once and kept.
pub static DEBIAN: LazyLock<Option<PathBuf>> = LazyLock::new(debian);

fn debian() -> Option<PathBuf> {
    let root = tmp("bookworm-with-tools");
    if root.join("usr/lib/systemd/systemd").exists() {
        return Some(root);
    }
    let half = tmp("bookworm.half");
    let _ = std::fs::remove_dir_all(&half);
    let include = format!("--include={PROGRAMS}");
    let made = Command::new("debootstrap")
        .args(["--variant=minbase", &include, "bookworm"])
        .arg(&half)
        .arg(MIRROR)
        .output();
    let made = made.unwrap();
    if !made.status.success() {
        left_out(&format!("debootstrap made no Debian: {}", printed(&made)));
        return None;
    }
    // The broker elsewhere is started by whoever wants one; the first install finds the port free.
    let _ = std::fs::remove_file(half.join("etc/systemd/system/multi-user.target.wants/mosquitto.service"));
    let _ = std::fs::remove_dir_all(half.join("var/cache/apt/archives"));
    std::fs::rename(half, &root).unwrap();
    Some(root)
}

/// The process that is number 1 in a machine of its own. Anything else, such as the child by which
/// systemd-nspawn makes it, would have commands run on this machine instead.
fn first_process(children: &str) -> Option<String> {
    let children = std::fs::read_to_string(children).ok()?;
    let is_first = |pid: &&str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        let numbers: Vec<&str> = numbers.split_whitespace().collect();
        numbers.len() > 1 && numbers.last() == Some(&"1")
    };
    children.split_whitespace().find(is_first).map(str::to_owned)
}

/// A booted machine; switched off when dropped.
pub struct Machine {
    pub root: PathBuf,
    nspawn: Child,
    init: String,
}

impl Machine {
    /// Boots a copy of `base` under a name of its own.
    pub fn boot(base: &Path, name: &str) -> Self {
        let root = tmp(name);
        let _ = std::fs::remove_dir_all(&root);
        done("copying the Debian", Command::new("cp").arg("-a").arg(base).arg(&root).output().unwrap());
        let nspawn = Command::new("systemd-nspawn")
            .args([
                "--register=no",
                "--keep-unit",
                "--boot",
                "--private-network",
                "--console=pipe",
                "-q",
                "-D",
            ])
            .arg(&root)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(tmp(&format!("{name}.log"))).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        let mut machine = Machine { root, nspawn, init: String::new() };
        within(Duration::from_secs(240), "the machine is up", || {
            if machine.init.is_empty() {
                machine.init = first_process(&children)?;
            }
            let state = printed(&machine.run("systemctl is-system-running"));
            ["running", "degraded"].contains(&state.trim()).then_some(())
        });
        machine
    }

    /// A shell command inside, as root.
    pub fn run(&self, command: &str) -> Output {
        Command::new("nsenter")
            .args(["-t", &self.init, "-a", "--", "/bin/sh", "-c", command])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap()
    }

    /// One that must succeed; what it says.
    pub fn does(&self, command: &str) -> String {
        done(command, self.run(command))
    }

    /// Asks until what it says holds `word`.
    pub fn until(&self, command: &str, word: &str) -> String {
        let mut said = String::new();
        for _ in 0..180 {
            said = printed(&self.run(command));
            if said.contains(word) {
                return said;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!(
            "{word:?} never came from {command}: {said}\n{}",
            printed(&self.run("journalctl -u shopguide -n 60 --no-pager"))
        );
    }

    /// Writes a file, and the folders that it lies in.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn journal(&self) -> String {
        self.does("journalctl -u shopguide --no-pager -o cat")
    }

    pub fn show(&self, property: &str) -> String {
        self.does(&format!("systemctl show --value -p {property} shopguide")).trim().to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !self.init.is_empty() {
            self.run("systemctl poweroff -f");
        }
        std::thread::sleep(Duration::from_secs(2));
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

/// The package of this tree, and one of version 0.0.9 before it; made once. The one before is the same
/// under another number, or the file that `SHOPGUIDE_PREVIOUS` names: a package built from an older state.
pub static PACKAGES: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(packages);

fn packages() -> (PathBuf, PathBuf) {
    let (new, old) = (tmp("shopguide.deb"), tmp("shopguide-0.0.9.deb"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/package");
    let mut build = Command::new(script);
    // The program was built for this test; with cargo's own variables around it would be built again.
    build.env_clear().envs(std::env::vars().filter(|(name, _)| ["PATH", "HOME"].contains(&name.as_str())));
    done(
        "the package",
        build.env("SHOPGUIDE_BUILT", "1").args(["--fast", "--output"]).arg(&new).output().unwrap(),
    );
    let before = std::env::var_os("SHOPGUIDE_PREVIOUS").map_or_else(|| new.clone(), PathBuf::from);
    let tree = tmp("package");
    let _ = std::fs::remove_dir_all(&tree);
    done("unpacking", Command::new("dpkg-deb").arg("-R").arg(&before).arg(&tree).output().unwrap());
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).unwrap();
    let version = text.lines().find(|line| line.starts_with("Version:")).unwrap().to_owned();
    std::fs::write(&control, text.replace(&version, "Version: 0.0.9")).unwrap();
    done(
        "packing",
        Command::new("dpkg-deb").args(["-Zgzip", "-z1", "-b"]).arg(&tree).arg(&old).output().unwrap(),
    );
    (new, old)
}
