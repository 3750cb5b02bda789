//! MJPEG over HTTP(S): one response without end, of which each part is a picture.

use super::http::Http;
use super::{Grab, Grabbed};
use crate::camera::health::Trouble;
use crate::camera::multipart::{Parser, boundary};
use crate::camera::settings::Url;
use crate::camera::stop::Stop;
use std::io::Read;
use std::time::Duration;
use ureq::BodyReader;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// The open stream.
pub(super) struct Mjpeg {
    http: Http,
    body: BodyReader<'static>,
    parser: Parser,
    chunk: Vec<u8>,
}

impl Mjpeg {
    pub(super) fn open(url: &Url, silence: Duration, stop: &Stop) -> Result<Self, Trouble> {
        let http = Http::new(url, silence, None, stop)?;
        let response = http.get()?;
        let kind =
            response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let boundary = match boundary(&kind) {
            Some(boundary) => boundary,
            None if kind.is_empty() => String::new(),
            None => {
                let advice = match kind.to_ascii_lowercase() {
                    k if k.starts_with("image/") => "it is a single picture: use the snapshot source",
                    k if k.starts_with("text/html") => {
                        "it is a web page: look there for the address of its pictures"
                    }
                    k if k.starts_with("video/") => "it is a video: use the ffmpeg source",
                    _ => "check the path",
                };
                // the type comes from outside
                let kind: String = kind.chars().filter(|c| !c.is_control()).take(80).collect();
                return Err(Trouble::garbage(format!("{} sends {kind}, not MJPEG; {advice}", http.shown())));
            }
        };
        let body = response.into_body().into_reader();
        Ok(Mjpeg { http, body, parser: Parser::new(&boundary), chunk: vec![0; CHUNK] })
    }
}

impl Grab for Mjpeg {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        let garbage = |e| Trouble::garbage(format!("{}: {e}", self.http.shown()));
        if let Some(part) = self.parser.next_part().map_err(garbage)? {
            return Ok(Grabbed::Coded(part));
        }
        match self.body.read(&mut self.chunk) {
            Ok(0) => Err(Trouble::lost(format!("{} ended its stream", self.http.shown()))),
            Ok(count) => {
                self.parser.push(&self.chunk[..count]);
                Ok(self.parser.next_part().map_err(garbage)?.map_or(Grabbed::Nothing, Grabbed::Coded))
            }
            Err(error) => Err(self.http.trouble(error.into())),
        }
    }
}
