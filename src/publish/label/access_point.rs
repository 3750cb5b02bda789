//! The web interface of an OpenEPaperLink access point, as its firmware reads it
//! (`ESP32_AP-Flasher/src/web.cpp`): `POST /imgupload`, a multipart form whose `mac` stands before the
//! picture, which is a JPEG. It answers 200 when it has the picture, 400 when it knows no such tag,
//! and 409 while it starts or is being updated.
//!
//! It is a small microcontroller that serves one upload at a time: whoever uses this sends one after
//! the other. No proxy is used, no redirection followed, and every wait has an end.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::time::Duration;

/// Longest time to find and to reach it.
const CONNECT: Duration = Duration::from_secs(4);
/// Longest time for all of an upload.
const WHOLE: Duration = Duration::from_secs(20);
/// Of its answer, as much is read.
const ANSWER: u64 = 1024;
/// Compression of the picture: so little that every pixel's colour can be told.
const QUALITY: u8 = 95;

/// Why a picture was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It does not answer, or not as an access point does.
    #[error("{0}")]
    Away(String),
    /// It has no time now.
    #[error("it is starting or being updated")]
    Busy,
    /// It does not know this tag.
    #[error("it knows no tag {0}")]
    UnknownTag(String),
}

/// One access point.
pub struct AccessPoint {
    agent: ureq::Agent,
    address: String,
}

impl AccessPoint {
    /// The one at `http://host[:port]`. Nothing is sent yet.
    pub fn new(address: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .user_agent(concat!("shopguide/", env!("CARGO_PKG_VERSION")))
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .build()
            .new_agent();
        Self { agent, address: address.trim_end_matches('/').to_owned() }
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Hands over a tag's picture. Blocks, 20 s at most.
    pub fn send(&self, mac: &str, picture: &RgbImage) -> Result<(), NotTaken> {
        let jpeg = jpeg(picture).map_err(|e| NotTaken::Away(format!("the picture cannot be coded: {e}")))?;
        let (kind, body) = form(mac, &jpeg);
        let sent = self.agent.post(format!("{}/imgupload", self.address)).content_type(kind).send(&body[..]);
        let mut answer = sent.map_err(|e| NotTaken::Away(in_words(&e)))?;
        let said = answer.body_mut().with_config().limit(ANSWER).read_to_string().unwrap_or_default();
        match answer.status().as_u16() {
            200 => Ok(()),
            400 if said.contains("mac not found") => Err(NotTaken::UnknownTag(mac.to_owned())),
            409 => Err(NotTaken::Busy),
            status => Err(NotTaken::Away(format!("it answers with HTTP {status}; is it an access point?"))),
        }
    }
}

fn jpeg(picture: &RgbImage) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::with_capacity(32 * 1024);
    let (width, height) = picture.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).write_image(
        picture.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}

/// A form as browsers send it (RFC 7578): its type, and its bytes. Without dithering, since every pixel
/// has a colour of the paper already; without a time to live, since only a new picture ends an old one.
fn form(mac: &str, jpeg: &[u8]) -> (String, Vec<u8>) {
    // made from the picture, so that it cannot stand in it by accident
    let boundary = format!("shopguide-{}", blake3::hash(jpeg).to_hex());
    let mut body = Vec::with_capacity(jpeg.len() + 1024);
    for (name, value) in [("mac", mac), ("dither", "0")] {
        let field =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(field.as_bytes());
    }
    let file = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"label.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    );
    body.extend_from_slice(file.as_bytes());
    body.extend_from_slice(jpeg);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

fn in_words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        ureq::Error::HostNotFound => "its name is not known in this network".to_owned(),
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
            "nothing listens there".to_owned()
        }
        other => format!("it cannot be reached: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_named_before_its_picture() {
        let (kind, body) = form("0011223344556677", b"\xff\xd8picture\xff\xd9");
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8_lossy(&body);
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is not in {text}"));
        assert!(at("name=\"mac\"\r\n\r\n0011223344556677\r\n") < at("name=\"file\"; filename="));
        assert!(text.ends_with(&format!("\r\n--{boundary}--\r\n")) && boundary.len() <= 74);
    }

    #[test]
    fn whoever_does_not_listen_is_said_to_be_away() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let nobody = AccessPoint::new(&format!("http://127.0.0.1:{port}/"));
        let error = nobody.send("0011223344556677", &RgbImage::new(8, 8)).unwrap_err();
        assert_eq!(error, NotTaken::Away("nothing listens there".to_owned()));
    }
}
