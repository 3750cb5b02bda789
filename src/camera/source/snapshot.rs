//! Snapshots over HTTP(S): one request, one JPEG or PNG, at an interval. The connection is kept.

use super::http::Http;
use super::{Grab, Grabbed};
use crate::camera::decode::MAX_BYTES;
use crate::camera::health::Trouble;
use crate::camera::settings::Url;
use crate::camera::stop::Stop;
use std::time::{Duration, Instant};

/// The camera's page.
pub(super) struct Snapshot {
    http: Http,
    every: Duration,
    due: Instant,
    stop: Stop,
}

impl Snapshot {
    pub(super) fn open(url: &Url, every: Duration, silence: Duration, stop: &Stop) -> Result<Self, Trouble> {
        let http = Http::new(url, silence, Some(silence), stop)?;
        Ok(Snapshot { http, every, due: Instant::now(), stop: stop.clone() })
    }
}

impl Grab for Snapshot {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        if self.stop.wait(self.due.saturating_duration_since(Instant::now())) {
            return Ok(Grabbed::Nothing);
        }
        self.due = (self.due + self.every).max(Instant::now());
        let mut response = self.http.get()?;
        let body = response.body_mut().with_config().limit(MAX_BYTES as u64).read_to_vec();
        Ok(Grabbed::Coded(body.map_err(|e| self.http.trouble(e))?))
    }

    fn period(&self) -> Duration {
        self.every
    }
}
