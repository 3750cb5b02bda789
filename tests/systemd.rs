//! The package in a real systemd: a Debian made by debootstrap, booted by systemd-nspawn. Installed,
//! seen, reloaded, hung, upgraded with its data, kept from going back, removed and purged; all of it
//! under the hardening that the unit asks for. The package is built from this very tree.

mod harness;

use harness::{have, left_out, printed, within};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

const MIRROR: &str = "http://deb.debian.org/debian";

/// Whether this machine can boot another one; says so if not.
fn can_boot() -> bool {
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

fn done(what: &str, output: Output) -> String {
    let said = printed(&output);
    assert!(output.status.success(), "{what}: {}\n{said}", output.status);
    said
}

fn tmp(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A Debian, made once and kept.
fn debian() -> Option<PathBuf> {
    let root = tmp("bookworm");
    if root.join("usr/lib/systemd/systemd").exists() {
        return Some(root);
    }
    let half = tmp("bookworm.half");
    let _ = std::fs::remove_dir_all(&half);
    let include = "--include=systemd,systemd-sysv,dbus";
    let made = Command::new("debootstrap")
        .args(["--variant=minbase", include, "bookworm"])
        .arg(&half)
        .arg(MIRROR)
        .output();
    let made = made.unwrap();
    if !made.status.success() {
        left_out(&format!("debootstrap made no Debian: {}", printed(&made)));
        return None;
    }
    std::fs::rename(half, &root).unwrap();
    Some(root)
}

/// The package of this tree, and the same as version 0.0.9; made once.
static PACKAGES: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(packages);

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
    let tree = tmp("package");
    let _ = std::fs::remove_dir_all(&tree);
    done("unpacking", Command::new("dpkg-deb").arg("-R").arg(&new).arg(&tree).output().unwrap());
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
struct Machine {
    root: PathBuf,
    nspawn: Child,
    init: String,
}

impl Machine {
    fn boot(base: &Path) -> Self {
        let root = tmp("machine");
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
            .stdout(std::fs::File::create(tmp("machine.log")).unwrap())
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

    /// A shell command inside.
    fn run(&self, command: &str) -> Output {
        Command::new("nsenter")
            .args(["-t", &self.init, "-a", "--", "/bin/sh", "-c", command])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap()
    }

    /// One that must succeed; what it says.
    fn does(&self, command: &str) -> String {
        done(command, self.run(command))
    }

    /// Asks until what it says holds `word`.
    fn until(&self, command: &str, word: &str) -> String {
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

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.root.join(path.trim_start_matches('/')), text).unwrap();
    }

    fn journal(&self) -> String {
        self.does("journalctl -u shopguide --no-pager -o cat")
    }

    fn show(&self, property: &str) -> String {
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

const CONFIG: &str = "[store]\nid = \"test\"\nname = \"Test shop\"\n\n[[display]]\nid = \"tea\"\nzone = \"tea\"\n\n\
     [[camera]]\nid = \"shelf\"\nzone = \"tea\"\nsource = \"folder\"\npath = \"/srv/frames\"\nfps = 10\nrepeat = true\nmotion = 0\n";

/// Pictures for the folder camera.
fn film(machine: &Machine) {
    let folder = machine.root.join("srv/frames");
    std::fs::create_dir_all(&folder).unwrap();
    for n in 0..5_u32 {
        let picture = image::RgbImage::from_fn(320, 240, |x, y| {
            image::Rgb([(x / 2) as u8, (y / 2) as u8, (n * 40) as u8])
        });
        picture.save(folder.join(format!("{n}.png"))).unwrap();
    }
}

#[test]
fn the_package_lives_in_a_real_systemd() {
    if !can_boot() {
        return;
    }
    let Some(base) = debian() else { return };
    let (new, old) = &*PACKAGES;
    let machine = Machine::boot(&base);
    for (package, name) in [(new, "new.deb"), (old, "old.deb")] {
        std::fs::copy(package, machine.root.join("opt").join(name)).unwrap();
    }
    film(&machine);

    // --- first install: it runs at once, with the configuration as shipped
    machine.does("dpkg -i /opt/old.deb");
    assert_eq!(
        machine
            .does("systemctl is-enabled shopguide shopguide-train.timer shopguide-backup.timer")
            .matches("enabled")
            .count(),
        3
    );
    let seen = machine.until("systemctl status shopguide --no-pager", "Status: \"");
    assert!(seen.contains("active (running)") && seen.contains("http://127.0.0.1:8080"), "{seen}");
    let owner = machine
        .does("stat -c '%U %a' /var/lib/shopguide /var/backups/shopguide /etc/shopguide/shopguide.toml");
    assert_eq!(owner, "shopguide 700\nshopguide 700\nroot 640\n");

    // --- a configuration of one's own, by a reload; one with a mistake changes nothing
    machine.write("/etc/shopguide/shopguide.toml", CONFIG);
    machine.does("systemctl restart shopguide");
    let seen = machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    assert!(seen.contains("active (running)"), "{seen}");
    let pid = machine.show("MainPID");
    machine.write(
        "/etc/shopguide/shopguide.toml",
        &CONFIG.replace("zone = \"tea\"\nsource", "zonne = \"tea\"\nsource"),
    );
    let refused = machine.run("systemctl reload shopguide");
    assert!(!refused.status.success(), "{}", printed(&refused));
    assert!(machine.journal().contains("did you mean `zone`?"));
    machine.write("/etc/shopguide/shopguide.toml", &format!("{CONFIG}[recognition]\nvotes = 5\n"));
    machine.does("systemctl reload shopguide");
    machine.until("journalctl -u shopguide --no-pager -o cat", "recognition.votes: 3 -> 5");
    assert_eq!(machine.show("MainPID"), pid, "the same process went on");

    // --- commands of root beside it leave nothing that the service cannot open
    machine.write("/opt/catalogue.csv", "sku,name,price\ntea,Tea,2.95\n");
    machine.write(
        "/opt/receipts.csv",
        "receipt,at,sku,quantity,price\nr1,2026-05-04 10:00,tea,1,2.95\nr2,2026-05-05 10:00,tea,1,2.95\n",
    );
    machine.does("shopguide import catalogue /opt/catalogue.csv --config /etc/shopguide/shopguide.toml");
    machine.does("shopguide import receipts /opt/receipts.csv --config /etc/shopguide/shopguide.toml");
    assert_eq!(machine.does("find /var/lib/shopguide ! -user shopguide"), "");

    // --- under the unit's hardening: frames are looked at, a model from outside is tried and taken
    let seen = machine.until("shopguide status", "since the start:");
    assert!(!seen.contains(" 0 frames") && !seen.contains("X "), "{seen}");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    std::fs::create_dir(machine.root.join("etc/shopguide/models")).unwrap();
    for file in ["embedder.toml", "embedder.onnx"] {
        std::fs::copy(models.join(file), machine.root.join("etc/shopguide/models").join(file)).unwrap();
    }
    let with_model = format!("{CONFIG}[vision]\nembedder = \"/etc/shopguide/models/embedder.toml\"\n");
    machine.write("/etc/shopguide/shopguide.toml", &with_model);
    machine.does("systemctl restart shopguide");
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    machine.does("test -f /var/lib/shopguide/models/last-good/embed/card.toml");
    assert!(!machine.journal().contains("refused"), "{}", machine.journal());
    machine.does("systemctl start shopguide-backup.service");
    assert!(machine.does("shopguide backup --list").contains("2 receipts"));
    assert_eq!(
        machine.does("shopguide doctor --json | grep -c '\"level\": \"failed\"' || true").trim(),
        "0",
        "{}",
        machine.does("shopguide doctor || true")
    );

    // --- without a USB camera, shut off still more
    machine.does("mkdir -p /etc/systemd/system/shopguide.service.d && cp /usr/share/doc/shopguide/drop-in/no-usb-camera.conf /etc/systemd/system/shopguide.service.d/ && systemctl daemon-reload && systemctl restart shopguide");
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    assert!(!machine.journal().contains("refused"), "{}", machine.journal());

    // --- hung: the watchdog ends it, systemd starts it again
    let pid = machine.show("MainPID");
    machine.does(&format!("kill -STOP {pid}"));
    machine.until("journalctl -u shopguide --no-pager -o cat", "Watchdog timeout");
    within(Duration::from_secs(60), "it is back", || {
        (machine.show("ActiveState") == "active" && machine.show("MainPID") != pid).then_some(())
    });
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    assert_eq!(machine.show("NRestarts"), "1");

    // --- upgrade: a backup first, data and configuration kept
    let said = machine.does("dpkg -i /opt/new.deb");
    assert!(said.contains("a backup before the upgrade from 0.0.9"), "{said}");
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    assert!(machine.does("shopguide check --db /var/lib/shopguide").contains("2 receipts"));
    assert!(machine.does("cat /etc/shopguide/shopguide.toml").contains("/srv/frames"));
    assert_eq!(machine.does("ls -d /var/backups/shopguide/shopguide-test-*/ | wc -l").trim(), "2");

    // --- no way back by accident
    let back = machine.run("dpkg -i /opt/old.deb");
    assert!(!back.status.success() && printed(&back).contains("refused: version"), "{}", printed(&back));
    assert_eq!(machine.show("ActiveState"), "active");
    assert!(machine.does("dpkg -s shopguide").contains("Status: install ok installed"));

    // --- removed, data stays; purged, it goes, backups stay
    machine.does("dpkg -r shopguide");
    machine.does("test -f /var/lib/shopguide/shop.sqlite && test -f /etc/shopguide/shopguide.toml && ! systemctl -q is-active shopguide");
    let said = machine.does("dpkg -P shopguide");
    assert!(said.contains("backups in /var/backups/shopguide were left"), "{said}");
    machine.does(
        "! test -e /var/lib/shopguide && ! test -e /usr/bin/shopguide && test -d /var/backups/shopguide",
    );
    assert_eq!(machine.does("find /etc/systemd /lib/systemd/system /var/lib/systemd -name 'shopguide*' ! -path '*/timers/*' ! -name 'shopguide.service.d'"), "");
}

#[test]
fn the_package_has_no_errors_and_its_manual_can_be_read() {
    if std::env::var_os("SHOPGUIDE_WITHOUT_SYSTEMD").is_some()
        || !["lintian", "man", "cargo-deb", "bash"].into_iter().all(have)
    {
        return;
    }
    let (package, _) = &*PACKAGES;
    done(
        "lintian",
        Command::new("lintian").args(["--fail-on", "error", "--allow-root"]).arg(package).output().unwrap(),
    );
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/package");
    for (page, word) in
        [("shopguide", "doctor"), ("shopguide-restore", "--master-key"), ("shopguide-run", "--log")]
    {
        let text = done(
            page,
            Command::new("man")
                .env("MANWIDTH", "100")
                .arg("-l")
                .arg(manual.join(format!("man1/{page}.1.gz")))
                .output()
                .unwrap(),
        );
        assert!(text.contains(word) && text.contains("FILES"), "{text}");
    }
    let complete = format!(
        ". {}; COMP_WORDS=(shopguide doc); COMP_CWORD=1; _shopguide shopguide doc shopguide; echo ${{COMPREPLY[*]}}",
        manual.join("completions/shopguide.bash").display()
    );
    let said = done("completions", Command::new("bash").args(["-c", &complete]).output().unwrap());
    assert_eq!(said.trim(), "doctor");
}

#[test]
fn the_units_are_valid_and_expose_little() {
    if !have("systemd-analyze") {
        return;
    }
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let here = tempfile::tempdir().unwrap();
    let exposure = |drop_in: Option<&str>| -> f32 {
        let unit = here.path().join("shopguide.service");
        std::fs::copy(units.join("shopguide.service"), &unit).unwrap();
        let folder = here.path().join("shopguide.service.d");
        let _ = std::fs::remove_dir_all(&folder);
        if let Some(name) = drop_in {
            std::fs::create_dir(&folder).unwrap();
            std::fs::copy(units.join("drop-in").join(name), folder.join(name)).unwrap();
        }
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(&unit)
            .output();
        let text = printed(&output.unwrap());
        let line = text
            .lines()
            .find(|line| line.contains("Overall exposure level"))
            .unwrap_or_else(|| panic!("{text}"));
        line.split(": ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    let (usb, none, network) =
        (exposure(None), exposure(Some("no-usb-camera.conf")), exposure(Some("network-camera-only.conf")));
    eprintln!("exposure: USB camera {usb}, none {none}, network camera only {network}");
    assert!(usb <= 1.5 && none <= 1.2 && network <= 1.2, "{usb} {none} {network}");
}
