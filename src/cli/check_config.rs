//! `shopguide check-config`: reads a configuration, says every mistake and warning, and what the
//! daemon would do with it. It changes nothing and starts nothing.

use super::settings::{BAD_CONFIG, DEFAULT_CONFIG};
use crate::ops::settings::schema::schema;
use crate::ops::settings::{Mistakes, Settings, Warning};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check a configuration: every mistake at once, each with its line.
#[derive(Debug, clap::Args)]
pub struct CheckConfig {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Print the JSON schema of the configuration, and look at no file
    #[arg(long)]
    pub schema: bool,
    /// Check as if the drop-in NAME were this file: for an update that is tried before it is at work
    #[arg(long, value_name = "NAME=FILE", hide = true)]
    pub with: Option<String>,
}

impl CheckConfig {
    /// Prints the result to standard output (mistakes as text to standard error); exits 64 if there
    /// is a mistake.
    pub fn run(&self) -> ExitCode {
        if self.schema {
            let _ = writeln!(std::io::stdout(), "{:#}", schema());
            return ExitCode::SUCCESS;
        }
        let result = match self.with.as_deref().and_then(|with| with.split_once('=')) {
            Some((name, file)) => Settings::check_with(&self.config, name, Path::new(file)),
            None => Settings::check(&self.config),
        };
        let code = if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(BAD_CONFIG) };
        // A closed pipe behind us is no reason to fail: the status says it all.
        let _ = match (&result, self.json) {
            (_, true) => writeln!(std::io::stdout(), "{:#}", as_json(&result)),
            (Ok((settings, warnings)), false) => {
                write!(
                    std::io::stdout(),
                    "{}",
                    as_text(&self.config.display().to_string(), settings, warnings)
                )
            }
            (Err(mistakes), false) => writeln!(std::io::stderr(), "{mistakes}"),
        };
        code
    }
}

fn as_json(result: &Result<(Settings, Vec<Warning>), Mistakes>) -> serde_json::Value {
    match result {
        Ok((settings, warnings)) => serde_json::json!({
            "ok": true,
            "errors": [],
            "warnings": warnings,
            "summary": summary(settings).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        }),
        Err(mistakes) => mistakes.to_json(),
    }
}

fn as_text(file: &str, settings: &Settings, warnings: &[Warning]) -> String {
    let mut text = String::new();
    for warning in warnings {
        text += &format!("{warning}\n\n");
    }
    text += &match warnings.len() {
        0 => format!("{file}: OK\n"),
        1 => format!("{file}: OK, with 1 warning\n"),
        n => format!("{file}: OK, with {n} warnings\n"),
    };
    for (what, value) in summary(settings) {
        text += &format!("  {what:<13}{value}\n");
    }
    text
}

/// What the daemon would do, in a few lines.
fn summary(settings: &Settings) -> Vec<(&'static str, String)> {
    let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let cameras = settings.cameras.iter().map(|c| format!("{} ({:?}, zone {})", c.id, c.source, c.zone));
    let displays = settings.displays.iter().map(|d| format!("{} (zone {})", d.id, d.zone));
    let broker = match &settings.broker {
        None => "off".to_owned(),
        Some(broker) => {
            let mut places = vec![format!("mqtt://{}", broker.listen)];
            places.extend(broker.tls.as_ref().map(|(address, ..)| format!("mqtts://{address}")));
            places.extend(broker.websocket.map(|address| format!("ws://{address}")));
            places.join(", ")
        }
    };
    let mqtt = match &settings.bus {
        None => "off".to_owned(),
        Some(bus) if settings.bus_is_embedded() => format!("{bus:?} (the embedded broker)"),
        Some(bus) => format!("{bus:?}"),
    };
    let recognition = if settings.recognition.enabled { "on" } else { "off: no face is embedded or matched" };
    vec![
        ("store", format!("{} ({})", settings.store.id, settings.store.name)),
        ("cameras", list(cameras.collect())),
        ("displays", list(displays.collect())),
        ("recognition", recognition.to_owned()),
        ("pages", format!("http://{}/", settings.web.listen)),
        ("mqtt", mqtt),
        ("broker", broker),
        ("storage", format!("{}, {} days", settings.storage.folder.display(), settings.storage.keep_days)),
        ("log", settings.log.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (tempfile::TempDir, Result<(Settings, Vec<Warning>), Mistakes>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shopguide.toml");
        std::fs::write(&file, text).unwrap();
        let result = Settings::check(&file);
        (folder, result)
    }

    const GOOD: &str = "[store]\nid = \"a\"\nname = \"A\"\n[[camera]]\nid = \"door\"\nzone = \"z\"\nsource = \"mjpeg\"\n\
                        url = \"http://u:hunter2@cam/x\"\n[[display]]\nid = \"d\"\nzone = \"z\"\n";

    #[test]
    fn a_good_configuration_is_summed_up_without_its_passwords() {
        let (_folder, result) = check(GOOD);
        let (settings, warnings) = result.as_ref().unwrap();
        let text = as_text("f.toml", settings, warnings);
        for part in [
            "f.toml: OK",
            "door (mjpeg http://***@cam/x, zone z)",
            "http://127.0.0.1:8080/",
            "mqtt://127.0.0.1:1883",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!format!("{text}{}", as_json(&result)).contains("hunter2"));
        assert_eq!(as_json(&result)["ok"], true);
    }

    #[test]
    fn a_bad_configuration_exits_64_and_says_so_in_json() {
        let (folder, result) = check(&GOOD.replace("zone = \"z\"", "zonne = \"z\""));
        let json = as_json(&result);
        assert_eq!(json["ok"], false);
        assert_eq!(json["errors"][0]["line"], 6);
        assert_eq!(json["errors"][0]["key"], "camera[1].zonne");
        assert_eq!(json["errors"][0]["help"], "did you mean `zone`?");
        let command = CheckConfig {
            config: folder.path().join("shopguide.toml"),
            json: true,
            schema: false,
            with: None,
        };
        assert_eq!(format!("{:?}", command.run()), format!("{:?}", ExitCode::from(64)));
    }
}
