//! The running service: whether it answers, and what it says of its parts.

use super::{Finding, Patient};
use crate::web::Status;
use crate::web::settings::WebSettings;
use crate::web::status::{Health, Part, PartKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Why the service said nothing of itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nobody listens.
    #[error("nothing listens at {0}")]
    Stopped(SocketAddr),
    /// Somebody listens and does not answer in time.
    #[error("{0} takes connections but does not answer")]
    Hangs(SocketAddr),
    /// The answer is not ours.
    #[error("{0} answers, but not as shopguide does: {1}")]
    Other(SocketAddr, String),
}

/// Asks the service of this configuration how it is. Waits 5 s at most.
pub fn ask(web: &WebSettings) -> Result<Status, Unanswered> {
    let text = fetch(web, "/api/status")?;
    serde_json::from_str(&text).map_err(|error| Unanswered::Other(reachable(web.listen), error.to_string()))
}

/// One of the operators' pages of the service.
pub fn fetch(web: &WebSettings, path: &str) -> Result<String, Unanswered> {
    let address = reachable(web.listen);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).proxy(None).build().into();
    let mut request = agent.get(format!("http://{address}{path}"));
    if let Some(token) = &web.api_token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = request.call().and_then(|mut response| response.body_mut().read_to_string());
    answer.map_err(|error| match error {
        ureq::Error::Timeout(_) => Unanswered::Hangs(address),
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
            Unanswered::Stopped(address)
        }
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => Unanswered::Stopped(address),
        other => Unanswered::Other(address, other.to_string()),
    })
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(v6) if v6.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

pub(super) fn finding(asked: &Result<Status, Unanswered>, patient: &Patient) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    let on = "service";
    match asked {
        Ok(status) if status.version != own => {
            Finding::warning("service-old", on, format!("version {} is running, {own} is installed", status.version))
                .means("the service still is the program from before the upgrade")
                .remedy("systemctl restart shopguide")
        }
        Ok(status) => {
            let hours = patient.now.duration_since(status.started).as_hours();
            Finding::well(on, format!("runs since {} ({hours} h)", status.started.strftime("%F %T UTC")))
        }
        Err(stopped @ Unanswered::Stopped(_)) => Finding::warning("service-stopped", on, stopped.to_string())
            .means("the service does not run: displays keep their last store-level slate, nobody is recognised")
            .remedy("systemctl start shopguide; if it does not stay up: journalctl -u shopguide -n 50"),
        Err(hangs @ Unanswered::Hangs(_)) => Finding::failed("service-hangs", on, hangs.to_string())
            .means("the service is stuck; the watchdog restarts it within a minute")
            .remedy("systemctl restart shopguide; if it happens again, keep the output of journalctl -u shopguide"),
        Err(other) => Finding::failed("service-not-ours", on, other.to_string())
            .means("another program has this address, or the API token here is not the service's")
            .remedy("ss -ltnp shows who listens; give one of the two another address ([web] listen), or reload"),
    }
}

/// What the service says of its parts.
pub(super) fn parts(status: &Status) -> Vec<Finding> {
    status.parts.iter().map(part).collect()
}

fn part(part: &Part) -> Finding {
    let (id, means) = match part.kind {
        PartKind::Camera => {
            return super::cameras::finding_of(&part.name, &part.says, part.health, part.remedy.as_deref());
        }
        PartKind::Model => ("model-refused", "the model that was asked for is not used"),
        PartKind::Recognition if part.health == Health::Failed => ("service-hangs", "no face is looked at"),
        PartKind::Recognition => ("recognition-off", "no face is embedded or compared; cards still work"),
        PartKind::Store => ("database-failed", "nothing can be recorded, and no suggestion made"),
        PartKind::Bus => ("broker-unreachable", "displays at the broker get nothing new; pages go on"),
        PartKind::Broker => ("broker-failed", "displays at the embedded broker get nothing new"),
        PartKind::Display => ("display-away", "this display shows nothing of ours"),
        PartKind::Label => ("label-access-point-away", "these labels keep showing what they show"),
    };
    let subject = format!("{:?} {}", part.kind, part.name).to_lowercase();
    let found = match (part.health, part.kind) {
        (Health::Well, _) => return Finding::well(subject, part.says.clone()),
        (Health::Limited, PartKind::Recognition) => Finding::note(id, subject, part.says.clone()),
        (Health::Limited, _) => Finding::warning(id, subject, part.says.clone()),
        (Health::Failed, _) => Finding::failed(id, subject, part.says.clone()),
    };
    found.means(means).remedy(part.remedy.clone().unwrap_or_else(|| "nothing, if that is meant".into()))
}
