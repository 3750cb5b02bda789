//! `/metrics` as Prometheus reads it: the text is judged by promtool, a real Prometheus scrapes the
//! running service, the alert rules are valid and fire when they should, and every metric that the
//! dashboard and the rules name exists. What a scrape costs is printed.

mod harness;

use harness::{Daemon, Shop, eventually, free_port, have, printed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PARTS: &str = "[backup]\nfolder = \"backups\"\n\n[[display]]\nid = \"tea\"\nzone = \"tea\"\n\n[[camera]]\nid = \"kiosk\"\n\
                     zone = \"tea\"\nsource = \"browser\"\n\n";

fn config(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus").join(file)
}

/// Names of metrics in `text`: everything that begins with `shopguide_`.
fn named(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.filter(|part| part.starts_with("shopguide_")).map(str::to_owned).collect()
}

/// The metrics of a service that has been up for a moment.
fn settled(daemon: &Daemon) -> String {
    eventually("the gauges are set", || {
        let text = daemon.get("/metrics")?.1;
        let set = |name: &str| text.lines().any(|l| l.starts_with(name));
        let all = set("shopguide_start_timestamp_seconds 1")
            && set("# TYPE shopguide_camera_up ")
            && set("# TYPE shopguide_model ");
        all.then_some(text)
    })
}

#[test]
fn every_metric_that_dashboard_and_rules_name_exists() {
    let shop = Shop::new(PARTS);
    let daemon = shop.run();
    // a family has no line before its first label, so its help counts
    let text = settled(&daemon);
    let families: BTreeSet<&str> =
        text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let exists = |name: &String| {
        let ends = ["", "_total", "_bucket", "_sum", "_count", "_info"];
        ends.iter().any(|end| name.strip_suffix(end).is_some_and(|name| families.contains(name)))
    };
    let dashboard = std::fs::read_to_string(config("grafana-dashboard.json")).unwrap();
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 10);
    let ids: BTreeSet<u64> =
        parsed["panels"].as_array().unwrap().iter().map(|p| p["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), parsed["panels"].as_array().unwrap().len(), "two panels have one id");
    for text in [dashboard, std::fs::read_to_string(config("alerts.yml")).unwrap()] {
        let unknown: Vec<String> = named(&text).into_iter().filter(|name| !exists(name)).collect();
        assert!(unknown.is_empty(), "no such metrics: {unknown:?}\n{families:?}");
    }
    // labels are of cameras, models and buckets only: no member is ever in one
    let labels = text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('{'));
    let keys: BTreeSet<&str> =
        labels.flat_map(|(_, rest)| rest.split("\",").filter_map(|p| p.split('=').next())).collect();
    let allowed = BTreeSet::from(["camera", "le", "model", "task", "version"]);
    assert!(keys.is_subset(&allowed), "{keys:?}");
    assert!(daemon.stop().0.success());
}

#[test]
fn promtool_finds_nothing_wrong_with_metrics_and_rules() {
    if !have("promtool") {
        return;
    }
    let shop = Shop::new(PARTS);
    let daemon = shop.run();
    let text = settled(&daemon);
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    // 1 is an error of the text, 3 an opinion on names
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", printed(&output));
    for args in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
        let output = Command::new("promtool").args(args).current_dir(config("")).output().unwrap();
        assert!(output.status.success(), "{}", printed(&output));
    }
    assert!(daemon.stop().0.success());
}

/// Grafana itself is not to be had here: what it would stumble over is looked for by its parts.
#[test]
fn the_dashboard_is_laid_out_and_every_expression_in_it_is_promql() {
    let text = std::fs::read_to_string(config("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut taken = BTreeSet::new();
    let mut rules = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
        assert!(w > 0 && h > 0 && x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{} lies over another panel", panel["title"]);
        }
        assert!(["stat", "timeseries", "table"].contains(&panel["type"].as_str().unwrap()), "{panel}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap().replace("$instance", ".*");
            assert!(!expr.contains('$'), "an unknown variable: {expr}");
            rules.push(serde_json::json!({"record": format!("panel:{}", rules.len()), "expr": expr}));
        }
    }
    if !have("promtool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dashboard.yml");
    // JSON is YAML.
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    std::fs::write(&file, groups.to_string()).unwrap();
    let output = Command::new("promtool").args(["check", "rules"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
}

/// Killed when dropped.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_prometheus_scrapes_it() {
    if !have("prometheus") {
        return;
    }
    let shop = Shop::new(PARTS);
    let daemon = shop.run();
    settled(&daemon);
    let port = free_port();
    let file = shop.folder.path().join("prometheus.yml");
    let target = format!("127.0.0.1:{}", shop.web);
    let text = format!(
        "global: {{ scrape_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n  - job_name: shopguide\n    \
         static_configs: [{{ targets: [\"{target}\"] }}]\n",
        config("alerts.yml").display()
    );
    std::fs::write(&file, text).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", shop.folder.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _prometheus = Prometheus(child);
    let ask = |query: &str| -> Option<Value> {
        let url = format!("http://127.0.0.1:{port}/api/v1/query?query={query}");
        let text = ureq::get(url).call().ok()?.body_mut().read_to_string().ok()?;
        let answer: Value = serde_json::from_str(&text).ok()?;
        answer["data"]["result"].as_array()?.first().map(|r| r["value"][1].clone())
    };
    let value = |query: &str, expected: &str| {
        eventually(&format!("{query} is {expected}"), || (ask(query)?.as_str()? == expected).then_some(()));
    };
    value("up", "1");
    value("shopguide_bus_connected", "1");
    value("shopguide_camera_up", "0");
    value("count(shopguide_model)", "3");
    value("shopguide_parts_not_well", "1");

    // what a scrape costs the service
    let (began, cpu) = (Instant::now(), daemon.cpu());
    let mut bytes = 0;
    for _ in 0..200 {
        bytes = daemon.get("/metrics").unwrap().1.len();
    }
    let (each, cpu) = (began.elapsed() / 200, (daemon.cpu() - cpu) / 200);
    eprintln!("a scrape: {bytes} bytes, {each:?} on the clock, {cpu:?} of the service's processor time");
    assert!(cpu < Duration::from_millis(50), "{cpu:?}");
    assert!(daemon.stop().0.success());
}
