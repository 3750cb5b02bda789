//! Backups as an administrator makes and restores them, with the built program: one taken while
//! receipts arrive, put back on an empty machine, gives the same shop and the same slates; who was
//! erased stays erased on every machine.

mod harness;

use harness::{Daemon, Shop, ended, eventually, printed, shopguide};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const PARTS: &str = "[[display]]\nid = \"tea\"\nzone = \"tea\"\n\n[[camera]]\nid = \"kiosk\"\nzone = \"tea\"\n\
                     source = \"browser\"\nmotion = 0\nmax_fps = 30\n\n";

/// A shop that keeps its backups in its own scratch folder.
fn shop() -> Shop {
    Shop::new(&format!("[backup]\nfolder = \"backups\"\n\n{PARTS}"))
}

fn done(output: &Output) -> String {
    let said = printed(output);
    assert!(output.status.success(), "{said}");
    said
}

/// A catalogue, receipts of a member and of others, and the member's face. The photographs.
fn furnish(shop: &Shop) -> Vec<PathBuf> {
    let catalogue = shop.folder.path().join("catalogue.csv");
    std::fs::write(&catalogue, "sku,name,price\ntea,Green tea,2.95\noil,Olive oil,9.80\nbread,Bread,3.10\n")
        .unwrap();
    done(&shop.command(&["import", "catalogue", catalogue.to_str().unwrap()]));
    let today = jiff::Timestamp::now();
    let mut receipts = "receipt,at,sku,quantity,price,member\n".to_owned();
    for n in 0..40_i64 {
        let at = today - jiff::SignedDuration::from_hours(24 * (n * 3 + 2));
        let (sku, card) = if n % 2 == 0 { ("tea", "card-1") } else { ("oil", "") };
        receipts += &format!("r{n},{},{sku},1,2.95,{card}\n", at.strftime("%F %H:%M"));
        receipts += &format!("r{n},{},bread,1,3.10,{card}\n", at.strftime("%F %H:%M"));
    }
    let faces = shop.folder.path().join("faces");
    done(&ended(shopguide(["demo", "--seed", "3", "--count", "1", "--export-faces"]).arg(&faces)));
    let photographs: Vec<PathBuf> = [0, 1, 2, 4].map(|n| faces.join(format!("s3-00000/0{n}.jpg"))).into();
    let mut enrol = shopguide(["enrol", "--consent", "form 2", "--card", "card-1", "--config"]);
    done(&ended(enrol.arg(shop.config()).args(&photographs)));
    let file = shop.folder.path().join("receipts.csv");
    std::fs::write(&file, receipts).unwrap();
    let file = file.to_str().unwrap().to_owned();
    done(&shop.command(&["import", "receipts", &file]));
    photographs
}

fn receipt(n: usize) -> String {
    let lines =
        json!([{"sku": "soap", "quantity": 1, "price": 1.5}, {"sku": "salt", "quantity": 1, "price": 0.9}]);
    json!({"receipt": format!("till-{n}"), "at": "2026-05-04T10:00:00Z", "lines": lines}).to_string()
}

/// The products and reasons that the display shows: to nobody in particular, and to the member before
/// the kiosk.
fn slates(daemon: &Daemon, photographs: &[PathBuf]) -> (Value, Value) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for photograph in photographs.iter().cycle() {
                // each is held before the camera long enough to be tracked
                for _ in 0..8 {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let picture = std::fs::read(photograph).unwrap();
                    let _ = daemon.post("/api/cameras/kiosk/frame", "image/jpeg", &picture);
                    std::thread::sleep(std::time::Duration::from_millis(60));
                }
            }
        });
        let both = events(daemon);
        stop.store(true, Ordering::Relaxed);
        both
    })
}

fn events(daemon: &Daemon) -> (Value, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.web)).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    write!(stream, "GET /display/tea/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let mut store = Value::Null;
    for line in BufReader::new(stream).lines() {
        let line = line.expect("the display gets a personal slate within a minute");
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let Ok(screen) = serde_json::from_str::<Value>(data) else { continue };
        if store.is_null() {
            store = screen["store"]["items"].clone();
        }
        if screen["personal"].is_object() {
            return (store, screen["personal"]["items"].clone());
        }
    }
    panic!("the stream ended:\n{}", daemon.logs());
}

fn only_backup(folder: &Path) -> PathBuf {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let backups: Vec<PathBuf> = all.filter(|path| path.is_dir()).collect();
    assert_eq!(backups.len(), 1, "{backups:?}");
    backups[0].clone()
}

#[test]
fn a_backup_under_load_restored_on_an_empty_machine_gives_the_same_slates() {
    let shop = shop();
    let photographs = furnish(&shop);
    let daemon = shop.run();
    let before = slates(&daemon, &photographs);
    assert!(before.1.as_array().is_some_and(|items| !items.is_empty()), "{before:?}");

    // a till that does not pause while the backup is made
    let (sent, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (answered, backed_up) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let n = sent.load(Ordering::Relaxed);
                let (status, said) =
                    daemon.post("/api/receipts", "application/json", receipt(n).as_bytes()).unwrap();
                assert_eq!(status, 200, "{said}");
                sent.store(n + 1, Ordering::Relaxed);
            }
        });
        eventually("receipts arrive", || (sent.load(Ordering::Relaxed) > 20).then_some(()));
        let answered = sent.load(Ordering::Relaxed);
        let backed_up = shop.command(&["backup", "--json"]);
        let after = sent.load(Ordering::Relaxed);
        eventually("receipts go on", || (sent.load(Ordering::Relaxed) > after).then_some(()));
        stop.store(true, Ordering::Relaxed);
        (answered, backed_up)
    });
    let said: Value =
        serde_json::from_slice(&backed_up.stdout).unwrap_or_else(|_| panic!("{}", printed(&backed_up)));
    let total = 40 + sent.load(Ordering::Relaxed) as u64;
    let held = said["manifest"]["receipts"].as_u64().unwrap();
    assert!((40 + answered as u64..total).contains(&held), "{held} of {total}, {answered} answered before");
    assert!(daemon.stop().0.success());

    // the empty machine: only the configuration, the backups and the master key are brought there
    let empty = self::shop();
    let backups = empty.folder.path().join("backups");
    assert!(
        std::process::Command::new("cp")
            .args(["-r".as_ref(), shop.folder.path().join("backups").as_os_str(), backups.as_os_str()])
            .status()
            .unwrap()
            .success()
    );
    let key = shop.data().join("master.key");
    let refused = empty.command(&["restore", "--yes"]);
    assert!(!refused.status.success() && printed(&refused).contains("master key"), "{}", printed(&refused));
    let asks = empty.command(&["restore", "--master-key", key.to_str().unwrap()]);
    assert!(!asks.status.success() && printed(&asks).contains("--yes"), "{}", printed(&asks));
    let restored = done(&empty.command(&["restore", "--yes", "--master-key", key.to_str().unwrap()]));
    assert!(restored.contains("all is well"), "{restored}");
    let check = done(&empty.command(&["check"]));
    assert!(check.contains("all is well") && check.contains("1 members with 3 templates"), "{check}");

    let daemon = empty.run();
    let after = slates(&daemon, &photographs);
    assert_eq!(before, after);
    assert!(daemon.stop().0.success());
}

#[test]
fn an_erased_member_comes_back_on_no_machine() {
    let shop = shop();
    furnish(&shop);
    done(&shop.command(&["backup"]));
    let backup = only_backup(&shop.folder.path().join("backups"));
    done(&shop.command(&["members", "erase", "card-1", "--yes"]));

    let running = shop.run();
    let refused = shop.command(&["restore", "--yes"]);
    let said = printed(&refused);
    assert!(!refused.status.success() && said.contains("systemctl stop shopguide"), "{said}");
    assert!(running.stop().0.success());

    let key = shop.data().join("master.key");
    let empty = self::shop();
    for place in [&shop, &empty] {
        let mut args = vec!["restore", backup.to_str().unwrap(), "--yes"];
        if !place.data().exists() {
            args.extend(["--master-key", key.to_str().unwrap()]);
        }
        let said = done(&place.command(&args));
        assert!(said.contains("1 members who were erased since the backup were erased again"), "{said}");
        let members = done(&place.command(&["members", "list"]));
        assert!(members.contains("no members"), "{members}");
        let check = done(&place.command(&["check"]));
        assert!(check.contains("40 receipts") && check.contains("all is well"), "{check}");
    }
    // and even who has the backup and the keys beside it cannot read a face in it
    let db = rusqlite::Connection::open(backup.join("shop.sqlite")).unwrap();
    let sealed: i64 = db.query_row("SELECT COUNT(*) FROM templates", [], |row| row.get(0)).unwrap();
    let keys = rusqlite::Connection::open(backup.with_file_name("shopguide-test.keys")).unwrap();
    let opens: i64 = keys.query_row("SELECT COUNT(*) FROM keys", [], |row| row.get(0)).unwrap();
    assert_eq!((sealed, opens), (3, 0));
}

#[test]
fn a_damaged_backup_is_refused_and_an_older_one_can_be_named() {
    let shop = shop();
    furnish(&shop);
    done(&shop.command(&["backup"]));
    let good = only_backup(&shop.folder.path().join("backups"));
    done(&shop.command(&["backup"]));
    let list = done(&shop.command(&["backup", "--list"]));
    assert_eq!(list.lines().count(), 4, "{list}");
    let newest = PathBuf::from(list.lines().nth(2).unwrap());
    let file = newest.join("shop.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let refused = shop.command(&["restore", "--yes"]);
    let said = printed(&refused);
    assert!(!refused.status.success() && said.contains("not as it was written"), "{said}");
    done(&shop.command(&["restore", "--verify", good.to_str().unwrap()]));
    done(&shop.command(&["restore", "--yes", good.to_str().unwrap()]));
}
