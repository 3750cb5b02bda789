//! From the first install to the purge.

use crate::harness::{printed, within};
use crate::machine::{DEBIAN, Machine, PACKAGES, can_boot};
use std::path::Path;
use std::time::Duration;

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
    let Some(base) = &*DEBIAN else { return };
    let (new, old) = &*PACKAGES;
    let machine = Machine::boot(base, "machine");
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
        CONFIG.replace("zone = \"tea\"\nsource", "zonne = \"tea\"\nsource"),
    );
    let refused = machine.run("systemctl reload shopguide");
    assert!(!refused.status.success(), "{}", printed(&refused));
    assert!(machine.journal().contains("did you mean `zone`?"));
    machine.write("/etc/shopguide/shopguide.toml", format!("{CONFIG}[recognition]\nvotes = 5\n"));
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
