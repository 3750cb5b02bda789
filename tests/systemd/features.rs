//! Everything that the program does, under the hardening of its unit, with whatever a shop has beside
//! it: cameras over HTTP, RTSP and UDP, a broker elsewhere, a till, a kiosk, the night's work. Only a USB
//! camera is missing: there is no device here.

use crate::harness::printed;
use crate::machine::{DEBIAN, Machine, PACKAGES, can_boot, done};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use shopguide::demo::World;
use std::fmt::Write;
use std::path::Path;

/// Members who bring receipts to learn from.
const MEMBERS: usize = 120;
const CONFIG_FILE: &str = "/etc/shopguide/shopguide.toml";
const CAMERAS: [&str; 6] = ["http", "still", "folder", "film", "rtsp", "udp"];

const CONFIG: &str = r#"
[store]
id = "test"
name = "Test shop"

[[camera]]
id = "http"
zone = "tea"
source = "mjpeg"
url = "http://127.0.0.1:8081/"
motion = 0

[[camera]]
id = "still"
zone = "tea"
source = "snapshot"
url = "http://127.0.0.1:8082/"
motion = 0

[[camera]]
id = "folder"
zone = "tea"
source = "folder"
path = "/srv/shopper"
fps = 5
repeat = true
motion = 0

[[camera]]
id = "film"
zone = "wine"
source = "ffmpeg"
url = "/srv/film.mp4"
input_args = ["-re", "-stream_loop", "-1"]
motion = 0

# It waits for its camera to call, because nothing else here speaks RTSP; what is said is the same.
[[camera]]
id = "rtsp"
zone = "wine"
source = "ffmpeg"
url = "rtsp://127.0.0.1:8554/live"
input_args = ["-rtsp_flags", "listen"]
silence = "60 s"
motion = 0

[[camera]]
id = "udp"
zone = "wine"
source = "ffmpeg"
url = "udp://127.0.0.1:5004"
silence = "60 s"
motion = 0

[[display]]
id = "tea"
zone = "tea"

[[kiosk]]
id = "k1"
zone = "desk"
"#;

/// A service that answers each connection to `port` with what `script` prints: an HTTP camera.
fn answers(machine: &Machine, name: &str, port: u16, script: &str) {
    machine.write(&format!("/srv/{name}.sh"), script);
    let socket = format!("[Socket]\nListenStream=127.0.0.1:{port}\nAccept=yes\n");
    machine.write(&format!("/etc/systemd/system/{name}.socket"), socket);
    let service = format!("[Service]\nExecStart=-/bin/sh /srv/{name}.sh\nStandardInput=socket\n");
    machine.write(&format!("/etc/systemd/system/{name}@.service"), service);
    machine.does(&format!("systemctl daemon-reload && systemctl start {name}.socket"));
}

/// A film that is sent again and again.
fn sends(machine: &Machine, name: &str, to: &str) {
    let service = format!(
        "[Service]\nExecStart=/usr/bin/ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i /srv/film.mp4 -c copy {to}\n\
         Restart=always\nRestartSec=1\n"
    );
    machine.write(&format!("/etc/systemd/system/{name}.service"), service);
    machine.does(&format!("systemctl daemon-reload && systemctl start {name}"));
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(picture).unwrap();
    bytes
}

/// The cameras, before which the first member of `world` stands.
fn cameras(machine: &Machine, world: &World) {
    let photographs: Vec<Vec<u8>> = world.photos(0, 12).iter().map(jpeg).collect();
    for (n, jpeg) in photographs.iter().enumerate() {
        machine.write(&format!("/srv/shopper/{n:02}.jpg"), jpeg);
        let part = format!("--f\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        machine.write(&format!("/srv/parts/{n:02}"), [part.as_bytes(), jpeg, b"\r\n"].concat());
    }
    let head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n";
    machine.write("/srv/head", head);
    // Each photograph is held before the camera for a while, as a person would stand there.
    let film = "cat /srv/head; while :; do for part in /srv/parts/*; do\n\
                for n in 1 2 3 4 5 6 7 8; do cat $part || exit; sleep 0.1; done; done; done\n";
    answers(machine, "mjpeg", 8081, film);
    let still = &photographs[0];
    let answer = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        still.len()
    );
    machine.write("/srv/still", [answer.as_bytes(), still].concat());
    // The request is read, or the answer would be torn off with it.
    answers(
        machine,
        "still",
        8082,
        "while read -r line; do [ ${#line} -gt 1 ] || break; done; cat /srv/still\n",
    );
    machine.does(
        "ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=640x360:rate=10 -t 10 \
         -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10 /srv/film.mp4",
    );
    sends(machine, "rtsp", "-f rtsp -rtsp_transport tcp rtsp://127.0.0.1:8554/live");
    sends(machine, "udp", "-f mpegts udp://127.0.0.1:5004?pkt_size=1316");
}

/// The world's catalogue and receipts, as files for `import`.
fn history(machine: &Machine, world: &World) {
    let mut catalogue = "sku,name,price,category\n".to_owned();
    for product in world.products.iter().filter(|p| !p.withdrawn) {
        let price = product.price.0 as f64 / 100.0;
        let name = product.name.replace(['"', ','], " ");
        let category = product.category.first().map_or("", String::as_str).replace(',', " ");
        writeln!(catalogue, "{},{name},{price:.2},{category}", product.sku).unwrap();
    }
    machine.write("/opt/catalogue.csv", catalogue);
    let mut receipts = "receipt,at,sku,quantity,price,card\n".to_owned();
    for (member, who) in world.members.iter().take(MEMBERS).enumerate() {
        for (n, basket) in who.baskets.iter().enumerate() {
            let at = basket.at.strftime("%F %H:%M");
            for line in &basket.lines {
                let sku = &world.products[line.product.0 as usize - 1].sku;
                let price = line.unit_price as f64 / 100.0;
                writeln!(receipts, "{member}-{n},{at},{sku},{},{price:.2},card-{member}", line.quantity)
                    .unwrap();
            }
        }
    }
    machine.write("/opt/receipts.csv", receipts);
}

/// Until every camera has shown frames to the networks.
fn all_cameras_are_seen(machine: &Machine) {
    for camera in CAMERAS {
        let counter = format!("shopguide_frames_total{{camera=\"{camera}\"}}");
        machine.until(
            &format!("curl -s 127.0.0.1:8080/metrics | grep -F '{counter}' | grep -qv ' 0$' && echo frames of {camera}"),
            &format!("frames of {camera}"),
        );
    }
}

/// The display shows the member before the camera what is meant for them.
fn a_member_is_served(machine: &Machine) {
    let stream = "timeout 20 curl -sN 127.0.0.1:8080/display/tea/events | grep -m1 -o '\"personal\":{'";
    machine.until(stream, "personal");
}

fn restart(machine: &Machine, config: &str) {
    machine.write(CONFIG_FILE, config);
    machine.does("systemctl restart shopguide");
}

#[test]
fn everything_works_under_the_hardening() {
    if !can_boot() {
        return;
    }
    let Some(base) = &*DEBIAN else { return };
    let machine = Machine::boot(base, "machine-of-features");
    std::fs::copy(&PACKAGES.0, machine.root.join("opt/new.deb")).unwrap();
    let world = World::new(3, jiff::Timestamp::now());
    cameras(&machine, &world);
    history(&machine, &world);
    machine.does("dpkg -i /opt/new.deb");
    restart(&machine, CONFIG);

    // --- cameras of every kind but USB, whose devices are let through; members are recognised
    let allowed = machine.show("DeviceAllow");
    assert!(allowed.contains("char-video4linux rw"), "{allowed}");
    machine.does("shopguide enrol --consent 'form 1' --card card-0 /srv/shopper/*.jpg");
    machine.does("shopguide import catalogue /opt/catalogue.csv --config /etc/shopguide/shopguide.toml");
    machine.does(
        "shopguide import receipts /opt/receipts.csv --members-consented 'form 2' --config /etc/shopguide/shopguide.toml",
    );
    all_cameras_are_seen(&machine);
    a_member_is_served(&machine);
    // One whose source was late is started again, so it may be between two lives just now.
    machine.until(
        "echo children of ffmpeg: $(systemctl status shopguide --no-pager -l | grep -c -e '-loglevel error')",
        "children of ffmpeg: 3",
    );

    // --- tills over HTTP and over the broker inside, which answers after the commit
    let lines = "[{\"sku\":\"tea\",\"quantity\":1,\"price\":2.95}]";
    machine.does(&format!(
        "curl -sf -H 'Content-Type: application/json' 127.0.0.1:8080/api/receipts \
         -d '{{\"receipt\":\"h1\",\"at\":\"2026-05-04T10:00:00Z\",\"member\":\"card-0\",\"lines\":{lines}}}'"
    ));
    machine.does(
        "mosquitto_pub -V 5 -h 127.0.0.1 -q 1 -t shopguide/test/receipt \
         -m '{\"receipt\":\"m1\",\"time\":\"2026-05-04T11:00:00Z\",\"member\":null,\"lines\":[{\"sku\":\"tea\",\"quantity\":1,\"price\":295}]}'",
    );
    machine.until("curl -s 127.0.0.1:8080/metrics", "shopguide_receipts_total 2");
    let slate = "timeout 30 mosquitto_sub -V 5 -h 127.0.0.1 -C 1 -t shopguide/test/display/tea/slate";
    machine.until(slate, "valid_until");

    // --- a kiosk: joining by card, one's own data, a copy, being forgotten; who signs in
    let kiosk = |act: &str| {
        machine.does(&format!(
            "curl -sf -H 'Content-Type: application/json' 127.0.0.1:8080/kiosk/k1/do -d '{act}'"
        ))
    };
    assert!(machine.does("curl -sf 127.0.0.1:8080/kiosk/k1").contains("kiosk"));
    let begun: serde_json::Value = serde_json::from_str(&kiosk("{\"do\":\"begin\"}")).unwrap();
    let session = begun["session"].as_str().unwrap();
    let agree =
        format!("{{\"do\":\"agree\",\"session\":\"{session}\",\"scope\":\"card\",\"old_enough\":true}}");
    assert!(kiosk(&agree).contains("joined"));
    for act in ["mine", "export", "forget"] {
        kiosk(&format!(
            "{{\"do\":\"{act}\",\"session\":\"{session}\",\"origin\":\"http://127.0.0.1:8080\"}}"
        ));
    }
    machine.does("echo 'a long password of 24 letters' | shopguide users --config /etc/shopguide/shopguide.toml add ada --role admin");
    machine.does(
        "curl -sf -H 'Content-Type: application/json' 127.0.0.1:8080/sign-in \
         -d '{\"name\":\"ada\",\"secret\":\"a long password of 24 letters\"}'",
    );
    assert_eq!(
        machine.does("curl -sf 127.0.0.1:8080/livez; curl -sf 127.0.0.1:8080/readyz"),
        "alive\nready\n"
    );

    // --- the night: training and a backup by their timers' own units, while the service goes on
    // Idle priority is left out: on a machine that is busy with other tests it would be waited for in vain.
    for unit in ["train", "backup"] {
        let awake = "[Service]\nCPUSchedulingPolicy=other\nNice=0\n";
        machine.write(&format!("/etc/systemd/system/shopguide-{unit}.service.d/awake.conf"), awake);
    }
    machine.does("systemctl daemon-reload && systemctl start shopguide-train.service");
    let said = machine.does("journalctl -u shopguide-train --no-pager -o cat");
    assert!(said.contains("is at work"), "{said}");
    let learned = "journalctl -u shopguide --no-pager -o cat | grep 'all receipts were read' | grep -qv 'none yet' && echo taken over";
    machine.until(learned, "taken over");
    machine.does("systemctl start shopguide-backup.service");
    machine.does("shopguide restore --verify --config /etc/shopguide/shopguide.toml");

    // --- at run time: another level of the log; a model that is none is refused, the others stay
    machine.write(CONFIG_FILE, format!("{CONFIG}\n[log]\nfilter = \"debug\"\n"));
    machine.does("systemctl reload shopguide");
    machine.until("journalctl -u shopguide --no-pager -o cat", "log.filter");
    machine.until(
        "journalctl -u shopguide -p debug..debug --no-pager | wc -l | grep -qvx 0 && echo debug",
        "debug",
    );
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    machine
        .write("/etc/shopguide/models/embedder.toml", std::fs::read(models.join("embedder.toml")).unwrap());
    machine.write("/etc/shopguide/models/embedder.onnx", "no network");
    let with_model = "\n[vision]\nembedder = \"/etc/shopguide/models/embedder.toml\"\n";
    machine.write(CONFIG_FILE, format!("{CONFIG}{with_model}"));
    machine.does("systemctl reload shopguide");
    machine.until("journalctl -u shopguide --no-pager -o cat", "a model was refused");
    a_member_is_served(&machine);
    // and a good one is tried by a child within its limits, and taken
    std::fs::copy(models.join("embedder.onnx"), machine.root.join("etc/shopguide/models/embedder.onnx"))
        .unwrap();
    machine.does("systemctl reload shopguide");
    machine.until("test -f /var/lib/shopguide/models/last-good/embed/card.toml && echo taken", "taken");

    // --- shut off still more: without USB, and with network cameras only; a broker elsewhere
    machine.does("mosquitto -d -p 1884");
    let elsewhere = format!("{CONFIG}\n[mqtt]\nhost = \"127.0.0.1\"\nport = 1884\n");
    for drop_in in ["no-usb-camera", "network-camera-only"] {
        machine.does(&format!(
            "mkdir -p /etc/systemd/system/shopguide.service.d && rm -f /etc/systemd/system/shopguide.service.d/* && \
             cp /usr/share/doc/shopguide/drop-in/{drop_in}.conf /etc/systemd/system/shopguide.service.d/ && systemctl daemon-reload"
        ));
        restart(&machine, &elsewhere);
        all_cameras_are_seen(&machine);
        a_member_is_served(&machine);
        machine.until(&slate.replace("-V 5", "-V 5 -p 1884"), "valid_until");
    }

    // --- nothing was ended by the kernel on the way, and `doctor` finds nothing broken
    assert_eq!(machine.show("NRestarts"), "0");
    let kills = machine.does("journalctl --no-pager | grep -c -e SIGSYS -e 'core-dump' || true");
    assert_eq!(kills.trim(), "0");
    let doctor = machine.run("shopguide doctor --json");
    assert!(!printed(&doctor).contains("\"level\": \"failed\""), "{}", printed(&doctor));
    done(
        "the end",
        machine
            .run("systemctl stop shopguide && systemctl show -p Result shopguide | grep -qx Result=success"),
    );
}
