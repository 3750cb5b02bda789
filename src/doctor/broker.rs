//! The broker that the configuration names, tried from here while the service does not run.

use super::Finding;
use crate::ops::settings::Settings;
use crate::publish::probe;

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let subject = "broker";
    let Some(bus) = &settings.bus else {
        return vec![Finding::note("broker-off", subject, "MQTT is turned off ([mqtt] enabled = false)")];
    };
    if settings.bus_is_embedded() {
        return vec![Finding::well(subject, "the embedded one, which comes with the service")];
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::failed("broker-unreachable", subject, error.to_string())],
    };
    let found = match runtime.block_on(probe(bus)) {
        Ok(()) => return vec![Finding::well(subject, format!("{bus:?} lets us in"))],
        Err(error) => error,
    };
    let login = found.contains("refused the login");
    let tls = found.contains("TLS") || found.contains("certificate");
    let (id, remedy) = match (login, tls) {
        (true, _) => {
            ("broker-login-refused", "correct [mqtt] user and its password file, or the broker's own list")
        }
        (_, true) => {
            ("broker-tls", "check [mqtt.tls] ca, the host name in the broker's certificate, and both clocks")
        }
        _ => {
            ("broker-unreachable", "see that the broker runs, that host and port are right, and the firewall")
        }
    };
    let failed = Finding::failed(id, subject, found);
    vec![failed.means("displays at this broker get nothing new; the pages go on").remedy(remedy)]
}
