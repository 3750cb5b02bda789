//! Faults planted one by one, and what `shopguide doctor` says of each: its id, the words that name the
//! cause, and a remedy, each true. `shopguide status` is tried on the way. Every test drives the
//! built program; the machine's own temperature and disks are planted in a folder of their own.

mod harness;

use harness::{Mosquitto, Shop, eventually, free_port, have, left_out, printed, shopguide};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const BACKUPS: &str = "[backup]\nfolder = \"backups\"\n\n";

/// What the doctor found: exit code and findings.
struct Seen {
    code: i32,
    findings: Vec<Value>,
}

impl Seen {
    /// The finding of this id; it must say all of `words` and come with a meaning and a remedy that
    /// says `remedy`.
    fn has(&self, id: &str, words: &[&str], remedy: &str) -> &Value {
        let found = self.findings.iter().find(|f| f["id"] == id);
        let found = found.unwrap_or_else(|| panic!("{id} is not among {:#?}", self.findings));
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        for word in words {
            assert!(text("says").contains(word), "{word:?} is not in {found:#}");
        }
        assert!(!text("means").is_empty() && text("remedy").contains(remedy), "{found:#}");
        let expected = match found["level"].as_str().unwrap() {
            "failed" => [1].as_slice(),
            "warning" => &[1, 3],
            _ => &[0, 1, 3],
        };
        assert!(expected.contains(&self.code), "{} with {found:#}", self.code);
        found
    }

    /// Nothing is failed but what a stopped service in a scratch folder is bound to show.
    fn lacks(&self, id: &str) {
        let found = self.findings.iter().find(|f| f["id"] == id);
        assert!(found.is_none(), "{found:#?}");
    }
}

fn doctor_at(shop: &Shop, root: &Path) -> Seen {
    let output = shopguide(["doctor", "--json", "--root"])
        .arg(root)
        .arg("--config")
        .arg(shop.config())
        .output()
        .unwrap();
    let said: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", printed(&output)));
    Seen { code: output.status.code().unwrap(), findings: said["findings"].as_array().unwrap().clone() }
}

/// The doctor on a machine that knows nothing of temperature and disks.
fn doctor(shop: &Shop) -> Seen {
    doctor_at(shop, &shop.folder.path().join("no-machine"))
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A shop with data: it ran once, took a receipt, and was backed up.
fn lived_in(extra: &str) -> Shop {
    let shop = Shop::new(&format!("{BACKUPS}{extra}"));
    let daemon = shop.run();
    record(&daemon, "r-1", jiff::Timestamp::now());
    assert!(daemon.stop().0.success());
    assert!(shop.command(&["backup"]).status.success());
    shop
}

fn record(daemon: &harness::Daemon, id: &str, at: jiff::Timestamp) {
    let lines = json!([{"sku": "tea", "quantity": 1, "price": 2.95}]);
    let receipt = json!({"receipt": id, "at": at.to_string(), "lines": lines}).to_string();
    let (status, said) = daemon.post("/api/receipts", "application/json", receipt.as_bytes()).unwrap();
    assert_eq!(status, 200, "{said}");
}

fn newest_backup(shop: &Shop) -> std::path::PathBuf {
    let all = std::fs::read_dir(shop.folder.path().join("backups")).unwrap().map(|e| e.unwrap().path());
    all.filter(|path| path.is_dir()).max().unwrap()
}

fn film(folder: &Path, light: u8) {
    std::fs::create_dir(folder).unwrap();
    for n in 0..5_u32 {
        let picture = image::RgbImage::from_fn(320, 240, |x, y| {
            let edge = if x / 20 == n { 60 } else { 0 };
            image::Rgb(
                [((x / 2 + y) % 200 + edge) as u8, ((x + y / 3) % 180) as u8, (y % 150) as u8]
                    .map(|c| c.min(light)),
            )
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        std::fs::write(folder.join(format!("{n}.jpg")), bytes.into_inner()).unwrap();
    }
}

fn camera(id: &str, rest: &str) -> String {
    format!("[[camera]]\nid = \"{id}\"\nzone = \"tea\"\n{rest}\n\n")
}

// --- well --------------------------------------------------------------------------------------

#[test]
fn a_healthy_shop_is_well_running_and_stopped() {
    let folder = "source = \"folder\"\npath = \"frames\"\nfps = 10\nrepeat = true";
    let shop = lived_in(&format!("[[display]]\nid = \"tea\"\nzone = \"tea\"\n\n{}", camera("shelf", folder)));
    film(&shop.folder.path().join("frames"), 255);
    let seen = doctor(&shop);
    let bad: Vec<&Value> =
        seen.findings.iter().filter(|f| f["level"] == "warning" || f["level"] == "failed").collect();
    assert_eq!(bad.len(), 1, "{bad:#?}");
    seen.has("service-stopped", &["nothing listens"], "systemctl start shopguide");

    let daemon = shop.run();
    daemon.until("camera", "shelf", "well", "frames a second");
    let seen = doctor(&shop);
    assert_eq!(seen.code, 0, "{:#?}", seen.findings);
    let status = shop.command(&["status"]);
    let said = printed(&status);
    assert!(status.status.success(), "{said}");
    for part in ["Test shop: all is well", "camera shelf", "frames a second", "since the start:"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert!(said.lines().count() < 24, "more than a screen: {said}");
    let json: Value = serde_json::from_slice(&shop.command(&["status", "--json"]).stdout).unwrap();
    assert_eq!(json["healthy"], true);
    assert!(daemon.stop().0.success());
    let status = shop.command(&["status"]);
    assert!(
        status.status.code() == Some(1) && printed(&status).contains("nothing listens"),
        "{}",
        printed(&status)
    );
}

// --- cameras -----------------------------------------------------------------------------------

#[test]
fn cameras_gone_black_garbled_and_with_a_wrong_password() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {}
            let _ = (&stream).write_all(
                b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"c\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            );
        }
    });
    let film_of = |name: &str| format!("source = \"folder\"\npath = \"{name}\"\nfps = 10\nrepeat = true");
    let shop = Shop::new(&format!(
        "[[display]]\nid = \"tea\"\nzone = \"tea\"\n\n{}{}{}{}{}",
        camera("gone", &film_of("nowhere")),
        camera("dark", &film_of("dark")),
        camera("noise", &film_of("noise")),
        camera("locked", &format!("source = \"mjpeg\"\nurl = \"http://viewer:hunter2@127.0.0.1:{port}/v\"")),
        camera("usb", "source = \"v4l\"\ndevice = \"/dev/video97\""),
    ));
    film(&shop.folder.path().join("dark"), 3);
    std::fs::create_dir(shop.folder.path().join("noise")).unwrap();
    for n in 0..5 {
        std::fs::write(shop.folder.path().join(format!("noise/{n}.jpg")), [0x5a; 4000]).unwrap();
    }
    let seen = doctor(&shop);
    let of = |name: &str| {
        let subject = format!("camera {name}");
        seen.findings.iter().find(|f| f["subject"] == subject.as_str()).unwrap_or_else(|| panic!("{subject}"))
    };
    assert_eq!(of("gone")["id"], "camera-lost");
    assert_eq!(of("usb")["id"], "camera-lost");
    assert!(of("usb")["says"].as_str().unwrap().contains("/dev/video97"), "{}", of("usb"));
    seen.has("camera-lost", &["check that it exists"], "check the address");
    seen.has("camera-black", &["black"], "lens cap");
    seen.has("camera-garbage", &[], "no JPEG");
    let locked = seen.has("camera-login-refused", &["127.0.0.1"], "password");
    assert!(!locked.to_string().contains("hunter2"));

    // and the same of a service that runs
    let daemon = shop.run();
    daemon.until("camera", "locked", "failed", "refuses access");
    daemon.until("camera", "dark", "failed", "black");
    let seen = doctor(&shop);
    for id in ["camera-lost", "camera-black", "camera-login-refused"] {
        seen.has(id, &[], "");
    }
    assert!(daemon.stop().0.success());
}

// --- the network -------------------------------------------------------------------------------

#[test]
fn a_broker_that_is_gone_and_one_that_refuses_the_login() {
    let port = free_port();
    let shop = Shop::bare();
    let mqtt = |more: &str| {
        format!(
            "[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\n{more}\n[web]\nlisten = \"127.0.0.1:{}\"\n",
            shop.web
        )
    };
    shop.configure(&mqtt(""));
    doctor(&shop).has(
        "broker-unreachable",
        &["nothing listens", &port.to_string()],
        "see that the broker runs",
    );

    if !have("mosquitto") || !have("mosquitto_passwd") {
        return;
    }
    let folder = shop.folder.path();
    let users = folder.join("users");
    let made =
        Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&users).args(["shop", "right"]).status();
    assert!(made.unwrap().success());
    mode(&users, 0o644);
    mode(folder, 0o755);
    let config = folder.join("mosquitto.conf");
    let text =
        format!("listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\n", users.display());
    std::fs::write(&config, text).unwrap();
    let _broker = Mosquitto::with(&config, port);
    for (password, refused) in [("wrong", true), ("right", false)] {
        std::fs::write(folder.join("mqtt.password"), password).unwrap();
        mode(&folder.join("mqtt.password"), 0o600);
        shop.configure(&mqtt("user = \"shop\"\npassword_file = \"mqtt.password\"\n"));
        let seen = doctor(&shop);
        if refused {
            seen.has("broker-login-refused", &["\"shop\""], "password file");
        } else {
            seen.lacks("broker-login-refused");
            seen.lacks("broker-unreachable");
        }
    }
}

#[test]
fn a_port_that_is_taken_and_a_service_that_hangs() {
    let shop = Shop::new(BACKUPS);
    let taken = TcpListener::bind(("127.0.0.1", shop.mqtt)).unwrap();
    let port = shop.mqtt.to_string();
    doctor(&shop).has("port-taken", &[&port, "[broker] listen"], &format!("ss -ltnp 'sport = :{port}'"));
    drop(taken);
    let daemon = shop.run();
    daemon.signal("STOP");
    doctor(&shop).has("service-hangs", &["does not answer"], "systemctl restart shopguide");
    daemon.signal("CONT");
    assert!(daemon.stop().0.success());
    let other = TcpListener::bind(("127.0.0.1", shop.web)).unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming().map_while(Result::ok) {
            let mut line = String::new();
            let mut reader = BufReader::new(&stream);
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {}
            let _ =
                (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
        }
    });
    doctor(&shop).has("service-not-ours", &["not as shopguide does"], "[web] listen");
}

// --- configuration and models ------------------------------------------------------------------

#[test]
fn a_mistake_in_the_configuration_and_a_corrupt_model() {
    let shop = Shop::new("[recognition]\nvots = 3\n");
    let seen = doctor(&shop);
    seen.has("config-mistake", &["line ", "recognition.vots", "no such key"], "did you mean `votes`?");
    assert_eq!(seen.code, 1);

    let shop = Shop::new("[vision]\nembedder = \"other/embedder.toml\"\n");
    let other = shop.folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    std::fs::copy(models.join("embedder.toml"), other.join("embedder.toml")).unwrap();
    let mut network = std::fs::read(models.join("embedder.onnx")).unwrap();
    let middle = network.len() / 2;
    network[middle] ^= 1;
    std::fs::write(other.join("embedder.onnx"), network).unwrap();
    doctor(&shop).has("model-refused", &["sha256", "embedder.onnx"], "copy the network and its card again");
}

// --- the store's data --------------------------------------------------------------------------

#[test]
fn permissions_of_the_folder_the_database_and_the_master_key() {
    let shop = lived_in("");
    let data = shop.data();
    mode(&data, 0o500);
    doctor(&shop).has("data-folder-permissions", &["500"], "chmod 700");
    mode(&data, 0o755);
    doctor(&shop).has("data-folder-open", &["755"], "chmod 700");
    mode(&data, 0o700);
    mode(&data.join("shop.sqlite"), 0o400);
    doctor(&shop).has("database-read-only", &["may not be written"], "chmod 600");
    mode(&data.join("shop.sqlite"), 0o600);
    let key = data.join("master.key");
    mode(&key, 0o644);
    doctor(&shop).has("master-key-exposed", &["644"], "chmod 600");
    mode(&key, 0o600);
    let bytes = std::fs::read(&key).unwrap();
    std::fs::write(&key, "not a key").unwrap();
    doctor(&shop).has("master-key-malformed", &["9 bytes"], "put the right one back");
    std::fs::write(&key, bytes).unwrap();
    let seen = doctor(&shop);
    for id in ["data-folder-permissions", "data-folder-open", "database-read-only", "master-key-exposed"] {
        seen.lacks(id);
    }
}

#[test]
fn a_damaged_a_newer_and_a_keyless_database() {
    let shop = lived_in("");
    let file = shop.data().join("shop.sqlite");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    doctor(&shop).has("database-damaged", &["damaged"], "shopguide restore");
    std::fs::write(&file, &whole).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    doctor(&shop).has("database-newer", &["schema 99"], "install the newer version");
    std::fs::write(&file, &whole).unwrap();
    for log in ["shop.sqlite-wal", "shop.sqlite-shm"] {
        let _ = std::fs::remove_file(shop.data().join(log));
    }
    let keys = shop.data().join("keys.sqlite");
    std::fs::rename(&keys, shop.data().join("elsewhere")).unwrap();
    doctor(&shop).has("keys-missing", &["keys.sqlite"], "shopguide-<store>.keys");
    std::fs::write(&keys, "rubbish").unwrap();
    doctor(&shop).has("keys-damaged", &["keys.sqlite"], "beside the backups");
}

#[test]
fn a_full_disk() {
    let shop = Shop::new(BACKUPS);
    let data = shop.data();
    std::fs::create_dir(&data).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs"]).arg(&data).status();
    if !mounted.is_ok_and(|status| status.success()) {
        left_out("this user may not mount a small disk");
        return;
    }
    let unmount = || Command::new("umount").arg(&data).status().unwrap();
    let found = std::panic::catch_unwind(|| {
        let _ = std::fs::write(data.join("filler"), vec![1; 23 << 20]);
        doctor(&shop).has("disk-full", &["MiB free"], "df -h").clone()
    });
    assert!(unmount().success());
    found.unwrap();
}

// --- clock, backups, machine -------------------------------------------------------------------

#[test]
fn a_clock_that_is_wrong_by_a_year() {
    let year = jiff::SignedDuration::from_hours(24 * 365);
    let shop = Shop::new(BACKUPS);
    let daemon = shop.run();
    // seen from this data the clock is a year behind
    record(&daemon, "r-1", jiff::Timestamp::now() + year);
    doctor(&shop).has("clock-behind", &["something was recorded at"], "timedatectl set-time");
    assert!(daemon.stop().0.success());

    let shop = Shop::new(BACKUPS);
    let daemon = shop.run();
    record(&daemon, "r-1", jiff::Timestamp::now() - year);
    doctor(&shop).has("clock-ahead", &["365 days"], "timedatectl set-time");
    assert!(daemon.stop().0.success());

    let machine = shop.folder.path().join("machine");
    let clock = machine.join("sys/class/rtc/rtc0");
    std::fs::create_dir_all(&clock).unwrap();
    let battery = jiff::Timestamp::now() - year;
    std::fs::write(clock.join("since_epoch"), battery.as_second().to_string()).unwrap();
    doctor_at(&shop, &machine).has("clock-battery-apart", &["battery clock"], "hwclock");
}

#[test]
fn backups_never_made_old_damaged_and_without_keys() {
    let shop = Shop::new(BACKUPS);
    assert!(shop.run().stop().0.success());
    doctor(&shop).has("backup-never", &["there is none"], "shopguide-backup.timer");
    assert!(shop.command(&["backup"]).status.success());
    let seen = doctor(&shop);
    seen.lacks("backup-never");
    seen.lacks("backup-old");
    let backup = newest_backup(&shop);
    let manifest = backup.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let mut old: Value = serde_json::from_str(&text).unwrap();
    old["made"] = json!((jiff::Timestamp::now() - jiff::SignedDuration::from_hours(240)).to_string());
    std::fs::write(&manifest, old.to_string()).unwrap();
    doctor(&shop).has("backup-old", &["240 h old"], "systemctl start shopguide-backup");
    std::fs::write(&manifest, text).unwrap();
    std::fs::write(backup.join("shop.sqlite"), "short").unwrap();
    doctor(&shop).has("backup-damaged", &["not as it was written"], "make another");
    std::fs::remove_file(shop.folder.path().join("backups/shopguide-test.keys")).unwrap();
    doctor(&shop).has("backup-keys-missing", &["shopguide-test.keys"], "the next backup makes it");
}

#[test]
fn a_machine_that_is_hot_short_of_memory_and_whose_disks_are_dying() {
    let shop = Shop::new(BACKUPS);
    let machine = shop.folder.path().join("machine");
    let plant = |path: &str, text: &str| {
        let file = machine.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    plant("sys/class/thermal/thermal_zone0/temp", "45000\n");
    plant("proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable:  2000000 kB\n");
    plant("sys/fs/ext4/sda1/errors_count", "0\n");
    plant("sys/block/mmcblk0/device/life_time", "0x02 0x01\n");
    let seen = doctor_at(&shop, &machine);
    for id in ["temperature-high", "memory-low", "disk-errors", "disk-worn", "disk-array-degraded"] {
        seen.lacks(id);
    }
    plant("sys/class/thermal/thermal_zone1/temp", "91000\n");
    plant("proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable:  20000 kB\n");
    plant("sys/fs/ext4/sda1/errors_count", "7\n");
    plant("sys/block/mmcblk0/device/life_time", "0x0a 0x01\n");
    plant("sys/block/md0/md/degraded", "1\n");
    let seen = doctor_at(&shop, &machine);
    seen.has("temperature-high", &["91 °C"], "fan");
    seen.has("memory-low", &["19 MiB"], "ps aux");
    seen.has("disk-errors", &["7 errors"], "make a backup now");
    seen.has("disk-worn", &["90 to 100 per cent"], "renew");
    seen.has("disk-array-degraded", &["1 disks"], "/proc/mdstat");
}

#[test]
fn status_follows_along() {
    let shop = Shop::new(BACKUPS);
    let daemon = shop.run();
    let mut watching = shopguide(["status", "--watch", "--config"])
        .arg(shop.config())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut seen = 0;
    eventually("two looks", || {
        seen += usize::from(lines.next()?.ok()?.contains("Test shop:"));
        (seen == 2).then_some(())
    });
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert!(daemon.stop().0.success());
}
