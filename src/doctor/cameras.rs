//! The cameras, tried from here while the service does not run: each is opened by the same code as in
//! the service, and given some seconds to show pictures.

use super::Finding;
use crate::camera::settings::{CameraSettings, Source};
use crate::camera::{CameraState, Cameras, Mailbox};
use crate::clock::Clock;
use crate::web::status::Health;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What a camera gets to show pictures.
const PATIENCE: Duration = Duration::from_secs(8);
/// Enough pictures to see whether they are black or garbage.
const ENOUGH: Duration = Duration::from_secs(6);

pub(super) fn look(settings: &[CameraSettings]) -> Vec<Finding> {
    let (browsers, others): (Vec<_>, Vec<_>) =
        settings.iter().cloned().partition(|c| matches!(c.source, Source::Browser | Source::Demo));
    let mut found: Vec<Finding> = browsers
        .iter()
        .map(|c| {
            Finding::well(
                format!("camera {}", c.id),
                "frames come from a kiosk's page while the service runs",
            )
        })
        .collect();
    if others.is_empty() {
        return found;
    }
    let cameras = match Cameras::start(&others, Clock::system(), Mailbox::new(), HashMap::new()) {
        Ok(cameras) => cameras,
        Err(error) => {
            let failed = Finding::failed("camera-not-tried", "cameras", error.to_string());
            found.push(failed.means("nothing is known of the cameras").remedy("free memory, and try again"));
            return found;
        }
    };
    let began = Instant::now();
    let health = loop {
        std::thread::sleep(Duration::from_millis(100));
        let health = cameras.health();
        let settled = |state| state != CameraState::Starting && state != CameraState::Live;
        let all = health
            .iter()
            .all(|c| settled(c.state) || (c.state == CameraState::Live && began.elapsed() > ENOUGH));
        if all || began.elapsed() > PATIENCE {
            break health;
        }
    };
    cameras.stop();
    for camera in health {
        let error = camera.error.as_deref().map_or_else(String::new, |e| format!(": {e}"));
        let health = match camera.state {
            CameraState::Live | CameraState::Ended => Health::Well,
            CameraState::Starting => Health::Limited,
            _ => Health::Failed,
        };
        let says = match camera.state {
            CameraState::Live => format!("{:.1} frames a second", camera.fps),
            state => format!("{}{error}", state.as_str()),
        };
        found.push(finding_of(camera.id.as_str(), &says, health, camera.state.advice()));
    }
    found
}

/// A camera's finding from what is said of it, here or by the service. `says` begins with its state.
pub(super) fn finding_of(name: &str, says: &str, health: Health, advice: Option<&str>) -> Finding {
    let subject = format!("camera {name}");
    if health == Health::Well {
        return Finding::well(subject, says);
    }
    let refused = says.contains("refuses access") || says.contains("401") || says.contains("403");
    let id = match says.split([':', ' ']).next() {
        _ if refused => "camera-login-refused",
        Some("black") => "camera-black",
        Some("garbage") => "camera-garbage",
        Some("silent") => "camera-silent",
        _ if health == Health::Limited => "camera-starting",
        _ => "camera-lost",
    };
    let remedy = if refused {
        "check `user` and the password file of this camera; many cameras lock a login after wrong passwords"
    } else {
        advice.unwrap_or("look again in a minute")
    };
    let found = match health {
        Health::Limited => Finding::warning(id, subject, says),
        _ => Finding::failed(id, subject, says),
    };
    found.means("nobody is recognised in its zone; the displays there show what is popular").remedy(remedy)
}
