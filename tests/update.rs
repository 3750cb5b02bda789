//! Updates from a stick, through the built program: a good one is applied, one that was tampered with is
//! refused, one with which the service is not well is rolled back; by hand on this machine, and on a
//! booted one where systemd runs the service, with its data, after a lost terminal and beside dpkg.

mod harness;
#[path = "systemd/machine.rs"]
#[allow(dead_code)]
mod machine;

use harness::{Daemon, Shop, eventually, printed, shopguide, within};
use machine::{DEBIAN, Machine, PACKAGES, can_boot, done, tmp};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_shopguide");

/// Where updates are made.
struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        let workshop = Self { folder: tempfile::tempdir().unwrap() };
        let made = shopguide(["update", "keygen"]).arg(workshop.folder.path().join("shop")).output().unwrap();
        done("keygen", made);
        workshop
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.file(name), text).unwrap();
        self.file(name).display().to_string()
    }

    /// A program that is nothing but a shell script.
    fn script(&self, name: &str, text: &str) -> String {
        let script = self.write(name, &format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    /// Builds a bundle.
    fn build(&self, release: &str, arguments: &[&str]) -> PathBuf {
        let out = self.file(&format!("{release}.update"));
        let mut build = shopguide(["update", "build", "--release", release, "--key"]);
        build.arg(self.file("shop.key")).arg("--out").arg(&out).args(arguments);
        done("build", build.output().unwrap());
        out
    }
}

/// A copy with one bit in the middle of its files changed.
fn tampered(bundle: &Path) -> PathBuf {
    let mut bytes = std::fs::read(bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let to = bundle.with_extension("tampered");
    std::fs::write(&to, bytes).unwrap();
    to
}

// --- by hand, without systemd --------------------------------------------------------------------

/// A shop whose machine's root is a folder of its own.
struct Box {
    shop: Shop,
    workshop: Workshop,
    root: tempfile::TempDir,
}

impl Box {
    fn new() -> Self {
        Box {
            shop: Shop::new("[backup]\nfolder = \"backups\"\n"),
            workshop: Workshop::new(),
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn update(&self, arguments: &[&str]) -> Output {
        let mut update = shopguide(["update"]);
        update.args(arguments).arg("--root").arg(self.root.path()).args(["--within", "20"]);
        update.arg("--config").arg(self.shop.config()).output().unwrap()
    }

    fn apply(&self, bundle: &Path) -> Output {
        let key = self.workshop.file("shop.pub");
        self.update(&["apply", bundle.to_str().unwrap(), "--public-key", key.to_str().unwrap()])
    }

    /// What was said when a bundle was refused; nothing has changed then.
    fn refused(&self, bundle: &Path) -> String {
        let before = printed(&self.update(&["list"]));
        let output = self.apply(bundle);
        let said = printed(&output);
        assert!(!output.status.success(), "{said}");
        assert_eq!(printed(&self.update(&["list"])), before, "{said}");
        said
    }

    /// Starts the service as its unit would: the release at work, or else the package's program.
    fn start(&self) -> Daemon {
        let found = self.root.path().join("usr/local/bin/shopguide");
        let program = if found.exists() { found } else { PROGRAM.into() };
        let log = self.shop.folder.path().join("daemon.log");
        let mut run = Command::new(program);
        run.args(["run", "--config"]).arg(self.shop.config()).stdout(Stdio::null());
        run.stderr(std::fs::File::create(&log).unwrap());
        let daemon = Daemon { child: run.spawn().unwrap(), web: self.shop.web, log };
        eventually("the daemon is ready", || (daemon.get("/readyz")?.0 == 200).then_some(()));
        daemon
    }

    fn filter(&self) -> String {
        let said = printed(&self.shop.command(&["check-config"]));
        said.lines().find(|line| line.trim_start().starts_with("log")).unwrap_or_default().to_owned()
    }
}

#[test]
fn what_is_not_whole_not_ours_or_too_old_is_refused_in_words_and_changes_nothing() {
    let here = Box::new();
    let config = here.workshop.write("quiet.toml", "[log]\nfilter = \"warn\"\n");
    let good = here.workshop.build("9.0.0", &["--config", &config]);

    let said = here.refused(&tampered(&good));
    assert!(
        said.contains("changed after it was signed") || said.contains("is not as it was signed"),
        "{said}"
    );
    let half = here.workshop.file("half.update");
    let bytes = std::fs::read(&good).unwrap();
    std::fs::write(&half, &bytes[..bytes.len() - 7]).unwrap();
    let said = here.refused(&half);
    assert!(said.contains("not a whole update") && said.contains("copy it to the stick again"), "{said}");
    std::fs::write(&half, "holiday pictures").unwrap();
    assert!(here.refused(&half).contains("does not begin as an update of shopguide does"));
    let stranger = Workshop::new();
    let config_too = stranger.write("quiet.toml", "");
    let said = here.refused(&stranger.build("9.0.0", &["--config", &config_too]));
    assert!(said.contains("signed with another key") && said.contains("trust no key"), "{said}");

    let said = here.refused(&here.workshop.build("0.0.1", &["--config", &config]));
    assert!(said.contains("release 0.0.1 is older than") && said.contains("Nothing was changed"), "{said}");
    let typo = here.workshop.write("typo.toml", "[log]\nfiltter = \"warn\"\n");
    let said = here.refused(&here.workshop.build("9.0.1", &["--config", &typo]));
    assert!(
        said.contains("does not take the configuration") && said.contains("did you mean `filter`?"),
        "{said}"
    );
    let crash = here.workshop.script("crash", "exit 7");
    let said =
        here.refused(&here.workshop.build("9.0.2", &["--program", &crash, "--program-version", "9.0.2"]));
    assert!(said.contains("its program does not run here"), "{said}");
    let other = here.workshop.script("other", "echo shopguide 1.1.1");
    let said =
        here.refused(&here.workshop.build("9.0.3", &["--program", &other, "--program-version", "9.0.3"]));
    assert!(said.contains("its program is not what it says"), "{said}");

    let untrusting = here.update(&["apply", good.to_str().unwrap(), "--public-key", "/nowhere/update.pub"]);
    assert!(printed(&untrusting).contains("trusts nobody's updates yet"), "{}", printed(&untrusting));
    assert!(!here.root.path().join("usr/local/bin/shopguide").is_symlink());
}

#[test]
fn by_hand_a_good_release_stays_and_one_that_never_gets_ready_is_taken_back() {
    let here = Box::new();
    let daemon = here.start();
    assert!(here.filter().contains("info"));

    // configuration and a model, with the program that is here
    let config = here.workshop.write("quiet.toml", "[log]\nfilter = \"warn\"\n");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/embedder.toml");
    let good = here.workshop.build("9.0.0", &["--config", &config, "--model", model.to_str().unwrap()]);
    let said = here.apply(&good);
    assert!(said.status.success() && printed(&said).contains("restart it yourself"), "{}", printed(&said));
    assert!(printed(&said).contains("the new program is well with a copy of the data"), "{}", printed(&said));
    let again = here.apply(&good);
    assert!(!again.status.success() && printed(&again).contains("at work already"), "{}", printed(&again));
    daemon.stop();
    let daemon = here.start();
    let said = here.update(&["settle"]);
    assert!(
        said.status.success() && printed(&said).contains("release 9.0.0 is at work"),
        "{}",
        printed(&said)
    );
    assert!(here.filter().contains("warn"), "{}", here.filter());
    assert!(
        here.shop.data().join("models/last-good/embed/card.toml").exists(),
        "the release's model is at work"
    );
    let exe = std::fs::read_link(format!("/proc/{}/exe", daemon.child.id())).unwrap();
    assert!(exe.ends_with("releases/9.0.0/shopguide"), "{}", exe.display());

    // one that says all the right things and then does not run
    let bad = here.workshop.script("bad", &format!("[ \"$1\" = run ] && exit 1\nexec {PROGRAM} \"$@\""));
    let version = env!("CARGO_PKG_VERSION");
    let bad = here.workshop.build("9.0.1", &["--program", &bad, "--program-version", version]);
    let said = here.apply(&bad);
    assert!(said.status.success(), "{}", printed(&said));
    daemon.stop();
    let said = here.update(&["settle"]);
    let text = printed(&said);
    assert!(
        !said.status.success() && text.contains("release 9.0.1 failed: the service does not answer"),
        "{text}"
    );
    assert!(text.contains("release 9.0.0 is at work again"), "{text}");
    here.start();
    let list = printed(&here.update(&["list"]));
    assert!(list.contains("9.0.0        at work") && !list.contains("9.0.1"), "{list}");
    assert!(printed(&here.update(&["settle"])).contains("no update is under way"));
    assert_eq!(
        audited(&here.shop.data().join("shop.sqlite")),
        [
            "update to release 9.0.0: begun",
            "update to release 9.0.0: passed its health check",
            "update to release 9.0.1: begun",
            "update to release 9.0.1: rolled back",
        ]
    );
}

/// What the audit says of updates, without the names of keys.
fn audited(database: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(database).unwrap();
    let mut rows =
        db.prepare("SELECT detail FROM audit WHERE detail LIKE 'update%' ORDER BY sequence").unwrap();
    let all = rows.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let plain = |text: String| match text.split_once(", signed by ") {
        Some((before, after)) => format!("{before}: {}", after.split_once(": ").unwrap().1),
        None => text,
    };
    all.map(plain).collect()
}

// --- where systemd runs the service ---------------------------------------------------------------

const CONFIG: &str = "[store]\nid = \"test\"\nname = \"Test shop\"\n\n[[display]]\nid = \"tea\"\nzone = \"tea\"\n\n\
     [[camera]]\nid = \"shelf\"\nzone = \"tea\"\nsource = \"folder\"\npath = \"/srv/frames\"\nfps = 10\nrepeat = true\nmotion = 0\n";

/// A newer package than this tree's.
fn newer_package() -> PathBuf {
    let (tree, newer) = (tmp("newer-package"), tmp("shopguide-9.1.0.deb"));
    let _ = std::fs::remove_dir_all(&tree);
    done("unpacking", Command::new("dpkg-deb").arg("-R").arg(&PACKAGES.0).arg(&tree).output().unwrap());
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).unwrap();
    let version = text.lines().find(|line| line.starts_with("Version:")).unwrap().to_owned();
    std::fs::write(&control, text.replace(&version, "Version: 9.1.0")).unwrap();
    let pack = Command::new("dpkg-deb").args(["-Zgzip", "-z1", "-b"]).arg(&tree).arg(&newer).output();
    done("packing", pack.unwrap());
    newer
}

#[test]
fn a_box_updates_itself_from_a_stick_and_goes_back_from_what_is_no_good() {
    if !can_boot() {
        return;
    }
    let Some(base) = &*DEBIAN else { return };
    let machine = Machine::boot(base, "update-machine");
    // As root's own shell finds programs.
    let path = "PATH=/usr/local/sbin:/usr/local/bin:$PATH";
    let workshop = Workshop::new();
    let stick = |bundle: &Path| {
        let name = bundle.file_name().unwrap().to_str().unwrap();
        std::fs::create_dir_all(machine.root.join("media/stick")).unwrap();
        std::fs::copy(bundle, machine.root.join("media/stick").join(name)).unwrap();
        format!("shopguide update apply /media/stick/{name}")
    };
    for (package, name) in [(&PACKAGES.0, "this.deb"), (&newer_package(), "newer.deb")] {
        std::fs::copy(package, machine.root.join("opt").join(name)).unwrap();
    }
    std::fs::create_dir_all(machine.root.join("srv/frames")).unwrap();
    for n in 0..5_u8 {
        let picture = image::RgbImage::from_pixel(320, 240, image::Rgb([n * 40, 90, 90]));
        picture.save(machine.root.join(format!("srv/frames/{n}.png"))).unwrap();
    }
    machine.does("dpkg -i /opt/this.deb");
    machine.write("/etc/shopguide/shopguide.toml", CONFIG);
    machine.does("systemctl restart shopguide");
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    machine.write("/opt/catalogue.csv", "sku,name,price\ntea,Tea,2.95\n");
    machine.does("shopguide import catalogue /opt/catalogue.csv --config /etc/shopguide/shopguide.toml");
    // Whoever applies updates has a strict umask; the service must still be able to run them.
    let applies = |bundle: &Path| machine.run(&format!("umask 077; {path} {} --within 60", stick(bundle)));

    // --- tampered: refused, and so is all before the administrator has put a key there
    let program = machine.root.join("usr/bin/shopguide").display().to_string();
    let config = workshop.write("debug.toml", "[log]\nfilter = \"debug\"\n");
    let good = workshop.build("9.0.0", &["--program", &program, "--config", &config]);
    let pid = machine.show("MainPID");
    let said = applies(&good);
    assert!(!said.status.success() && printed(&said).contains("trusts nobody"), "{}", printed(&said));
    machine.write("/etc/shopguide/update.pub", std::fs::read_to_string(workshop.file("shop.pub")).unwrap());
    let said = applies(&tampered(&good));
    assert!(!said.status.success() && printed(&said).contains("not as it was signed"), "{}", printed(&said));
    assert_eq!(machine.show("MainPID"), pid, "the same process went on");
    machine.does("! test -e /usr/local/bin/shopguide");

    // --- good: applied
    let said = applies(&good);
    let text = printed(&said);
    assert!(
        said.status.success() && text.contains("release 9.0.0 is at work"),
        "{text}\n{}",
        machine.journal()
    );
    let exe = machine.does(&format!("readlink /proc/{}/exe", machine.show("MainPID")));
    assert_eq!(exe.trim(), "/usr/local/lib/shopguide/releases/9.0.0/shopguide");
    assert!(
        machine.does(&format!("{path} shopguide check-config")).contains("debug"),
        "the release's configuration is read"
    );
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    let older = workshop.build("8.0.0", &["--config", &config]);
    let said = applies(&older);
    assert!(!said.status.success() && printed(&said).contains("older than 9.0.0"), "{}", printed(&said));
    // The nightly commands are the release's, too.
    machine.does("systemctl start shopguide-backup.service");

    // --- not well, and it has changed the data's form: rolled back, with the data
    let database = machine.root.join("var/lib/shopguide/shop.sqlite");
    let script = "if [ \"$1\" = run ]; then\n  touch /var/lib/shopguide/started\n  \
                  until [ -e /var/lib/shopguide/changed ]; do sleep 0.2; done\n  exit 1\nfi\n\
                  exec /usr/local/lib/shopguide/releases/9.0.0/shopguide \"$@\"";
    let script = workshop.script("bad", script);
    let version = env!("CARGO_PKG_VERSION");
    let bad = workshop.build("9.0.1", &["--program", &script, "--program-version", version]);
    let said = std::thread::scope(|scope| {
        let applying = scope.spawn(|| applies(&bad));
        within(Duration::from_secs(240), "the bad release is started", || {
            machine.root.join("var/lib/shopguide/started").exists().then_some(())
        });
        let db = rusqlite::Connection::open(&database).unwrap();
        db.execute_batch("PRAGMA user_version = 99").unwrap();
        drop(db);
        machine.does("touch /var/lib/shopguide/changed");
        applying.join().unwrap()
    });
    let text = printed(&said);
    assert!(!said.status.success(), "{text}");
    for part in [
        "release 9.0.1 failed: the service does not answer",
        "release 9.0.0 is at work again",
        "the data is what it was before the update",
        "the service is well",
    ] {
        assert!(text.contains(part), "{part:?} is not in: {text}\n{}", machine.journal());
    }
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    let checked = machine.does("shopguide check --db /var/lib/shopguide");
    assert!(checked.contains("1 products") && checked.contains("all is well"), "{checked}");
    assert_eq!(machine.does("find /var/lib/shopguide /var/backups/shopguide ! -user shopguide"), "");
    machine.does("! test -e /usr/local/lib/shopguide/releases/9.0.1");

    // --- the power fails while a bad one is on trial: the next start goes back
    machine.does("rm -f /var/lib/shopguide/started /var/lib/shopguide/changed");
    let command = stick(&bad);
    machine.does(&format!("({path} {command} >/opt/said 2>&1 & echo $! >/opt/pid)"));
    within(Duration::from_secs(240), "the bad release is started", || {
        machine.root.join("var/lib/shopguide/started").exists().then_some(())
    });
    machine.does("kill -9 $(cat /opt/pid)");
    machine.does("test -e /usr/local/lib/shopguide/trial.json && touch /var/lib/shopguide/changed");
    machine.does("systemctl is-enabled shopguide-update.service");
    let settled = machine.run("systemctl start shopguide-update.service");
    assert!(!settled.status.success(), "that it was rolled back is told as a failed unit");
    let told = machine.does("journalctl -u shopguide-update --no-pager -o cat");
    assert!(told.contains("release 9.0.0 is at work again"), "{told}");
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    machine.does("! test -e /usr/local/lib/shopguide/trial.json");
    let told = audited(&database);
    assert!(told.iter().any(|line| line == "update to release 9.0.0: passed its health check"), "{told:?}");
    assert!(told.iter().any(|line| line == "update to release 9.0.1: rolled back"), "{told:?}");

    // --- beside dpkg: an older package changes nothing at work, a newer one takes over, purge leaves nothing
    let said = machine.does("dpkg -i /opt/this.deb");
    assert!(said.contains("release 9.0.0, which came as an update, is newer and stays at work"), "{said}");
    assert!(machine.does(&format!("export {path}; readlink -f $(command -v shopguide)")).contains("9.0.0"));
    let said = machine.does(&format!("{path} dpkg -i /opt/newer.deb"));
    assert!(said.contains("takes over from release 9.0.0"), "{said}");
    let exe = machine.does(&format!("readlink /proc/{}/exe", machine.show("MainPID")));
    assert_eq!(exe.trim(), "/usr/bin/shopguide");
    machine.until("systemctl status shopguide --no-pager", "1 of 1 cameras");
    machine.does("dpkg -P shopguide");
    assert_eq!(machine.does("find /usr/local /etc -name '*shopguide*'"), "");
}
