//! multipart/x-mixed-replace (RFC 2046, as cameras speak it): bytes in, parts out.
//!
//! Cameras are careless, so the parser is generous where the meaning is clear: a boundary may be
//! declared with or without dashes and quotes, or not at all; Content-Length, all headers or the
//! blank line after them may be missing; lines may end in LF. It is strict about size: a part,
//! its headers and what lies between parts have limits, so it never holds more than one part
//! and what was pushed last.

use crate::camera::decode::MAX_BYTES;
use crate::camera::jpeg::{Step, Walk};

/// Most bytes of a part's headers.
const MAX_HEADERS: usize = 16 << 10;
/// Most bytes between two parts.
const MAX_BETWEEN: usize = 256 << 10;

/// Why a stream cannot be read as multipart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MultipartError {
    /// A part is, or says it is, larger than an image may be.
    #[error("a part has more than {MAX_BYTES} bytes")]
    PartTooLarge,
    /// The headers do not end.
    #[error("the headers of a part have more than {MAX_HEADERS} bytes")]
    HeadersTooLarge,
    /// No boundary where one should be.
    #[error("no boundary within {MAX_BETWEEN} bytes: not multipart/x-mixed-replace")]
    NoBoundary,
}

/// The boundary that a Content-Type declares; empty if it declares none. `None` if the type is
/// not multipart.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let mut rest = parameters;
    while let Some((name, value)) = rest.split_once('=') {
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => value.split_once(';').unwrap_or((value, "")),
        };
        if name.trim_matches([' ', ';', '\t']).eq_ignore_ascii_case("boundary") {
            return Some(value.trim().to_owned());
        }
        rest = after;
    }
    Some(String::new())
}

#[derive(Debug)]
enum State {
    /// Before a boundary; so many bytes of it were skipped.
    Between(usize),
    /// Among headers: bytes of them so far, and the length they gave.
    Headers(usize, Option<usize>),
    /// In a body of this many bytes.
    Sized(usize),
    /// In a body that ends with its JPEG or before the next boundary; searched so far.
    Open(Walk, usize),
}

/// Takes the stream apart.
#[derive(Debug)]
pub(crate) struct Parser {
    /// The boundary without its leading dashes; `None` until the first line tells it.
    token: Option<Vec<u8>>,
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that are behind us.
    used: usize,
    state: State,
}

impl Parser {
    /// `boundary` as [`boundary`] gave it.
    pub(crate) fn new(boundary: &str) -> Self {
        let token = boundary.trim_start_matches('-').as_bytes().to_vec();
        Parser {
            token: (!boundary.is_empty()).then_some(token),
            buffer: Vec::new(),
            used: 0,
            state: State::Between(0),
        }
    }

    /// Takes more of the stream. Call [`Parser::next_part`] until it is `None` after each.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// The next part's body, if it has arrived.
    pub(crate) fn next_part(&mut self) -> Result<Option<Vec<u8>>, MultipartError> {
        loop {
            match &mut self.state {
                State::Between(skipped) => {
                    let skipped = *skipped;
                    let Some(line) = self.take_line() else {
                        return match self.rest().len() + skipped > MAX_BETWEEN {
                            true => Err(MultipartError::NoBoundary),
                            false => Ok(None),
                        };
                    };
                    let skipped = skipped + line.len() + 1;
                    if self.is_boundary(&line) {
                        self.state = State::Headers(0, None);
                    } else if skipped > MAX_BETWEEN {
                        return Err(MultipartError::NoBoundary);
                    } else {
                        self.state = State::Between(skipped);
                    }
                }
                State::Headers(bytes, length) => {
                    let (bytes, length) = (*bytes, *length);
                    if self.rest().starts_with(&[0xFF, 0xD8]) {
                        self.body(length)?; // the blank line is missing
                        continue;
                    }
                    let unended = !self.rest().contains(&b'\n');
                    if bytes > MAX_HEADERS || (unended && bytes + self.rest().len() > MAX_HEADERS) {
                        return Err(MultipartError::HeadersTooLarge);
                    }
                    let Some(line) = self.take_line() else { return Ok(None) };
                    if line.is_empty() {
                        self.body(length)?;
                    } else if self.is_boundary(&line) {
                        self.state = State::Headers(0, None);
                    } else {
                        self.state = State::Headers(bytes + line.len() + 1, content_length(&line).or(length));
                    }
                }
                State::Sized(length) => {
                    let length = *length;
                    if self.rest().len() < length {
                        return Ok(None);
                    }
                    return Ok(Some(self.take_part(length, length)));
                }
                State::Open(walk, searched) => {
                    if let Step::End(length) = walk.advance(&self.buffer[self.used..]) {
                        return Ok(Some(self.take_part(length, length)));
                    }
                    let searched = *searched;
                    match self.find_boundary(searched) {
                        Ok(end) => {
                            let part = self.rest()[..end].strip_suffix(b"\r").map_or(end, <[u8]>::len);
                            return Ok(Some(self.take_part(part, end + 1)));
                        }
                        Err(searched) => {
                            if self.rest().len() > MAX_BYTES {
                                return Err(MultipartError::PartTooLarge);
                            }
                            if let State::Open(_, place) = &mut self.state {
                                *place = searched;
                            }
                            return Ok(None);
                        }
                    }
                }
            }
        }
    }

    fn body(&mut self, length: Option<usize>) -> Result<(), MultipartError> {
        self.state = match length {
            Some(length) if length > MAX_BYTES => return Err(MultipartError::PartTooLarge),
            Some(length) if length > 0 => State::Sized(length),
            _ => State::Open(Walk::default(), 0),
        };
        Ok(())
    }

    /// The part of `length` bytes; `used` bytes of the stream are behind us with it.
    fn take_part(&mut self, length: usize, used: usize) -> Vec<u8> {
        let part = self.rest()[..length].to_vec();
        self.used += used;
        self.state = State::Between(0);
        part
    }

    /// The next line without its end and trailing blanks.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.rest().iter().position(|b| *b == b'\n')?;
        let line = self.rest()[..end].trim_ascii_end().to_vec();
        self.used += end + 1;
        Some(line)
    }

    /// Whether a line is a boundary: dashes, the token, perhaps dashes. Learns an undeclared one.
    fn is_boundary(&mut self, line: &[u8]) -> bool {
        let dashes = line.iter().take_while(|b| **b == b'-').count();
        let name = &line[dashes..];
        match &self.token {
            None => {
                let found = dashes >= 2 && !name.is_empty();
                if found {
                    self.token = Some(name.to_vec());
                }
                found
            }
            Some(token) if token.is_empty() => dashes >= 2 && name.is_empty(),
            Some(token) => name.strip_prefix(&token[..]).is_some_and(|end| end.iter().all(|b| *b == b'-')),
        }
    }

    /// Where in the rest the line feed before the next boundary stands, or from where to search next time.
    fn find_boundary(&self, from: usize) -> Result<usize, usize> {
        let token = self.token.as_deref().unwrap_or_default();
        let mut from = from;
        loop {
            let tail = self.rest().get(from..).unwrap_or_default();
            let Some(feed) = tail.iter().position(|b| *b == b'\n').map(|n| n + from) else {
                return Err(self.rest().len());
            };
            let line = &self.rest()[feed + 1..];
            let dashes = line.iter().take_while(|b| **b == b'-').count();
            let name = &line[dashes..];
            let sure = dashes >= 2 || token.len() >= 8;
            if name.len() < token.len() + 1 {
                if token.starts_with(name) || name.starts_with(token) {
                    return Err(feed); // not enough of it to say
                }
            } else if sure
                && name.starts_with(token)
                && matches!(name[token.len()], b'-' | b'\r' | b'\n' | b' ')
            {
                return Ok(feed);
            }
            from = feed + 1;
        }
    }
}

/// The length that a header line gives, if it is that header.
fn content_length(line: &[u8]) -> Option<usize> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    name.trim().eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use proptest::prelude::*;

    fn picture(seed: u8) -> Vec<u8> {
        let image = image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([seed, (x * y) as u8, y as u8]));
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode_image(&image).unwrap();
        bytes
    }

    fn parts(boundary: &str, stream: &[u8], chunk: usize) -> Result<Vec<Vec<u8>>, MultipartError> {
        let mut parser = Parser::new(boundary);
        let mut out = Vec::new();
        for bytes in stream.chunks(chunk.max(1)) {
            parser.push(bytes);
            while let Some(part) = parser.next_part()? {
                out.push(part);
            }
        }
        Ok(out)
    }

    #[test]
    fn boundaries_are_read_as_cameras_write_them() {
        for (header, expected) in [
            ("multipart/x-mixed-replace;boundary=frame", Some("frame")),
            ("multipart/x-mixed-replace; boundary=\"--my boundary\"", Some("--my boundary")),
            ("Multipart/X-Mixed-Replace; charset=\"a;boundary=no\"; Boundary = --x ; y=z", Some("--x")),
            ("multipart/x-mixed-replace", Some("")),
            ("image/jpeg", None),
            ("text/html; boundary=x", None),
        ] {
            assert_eq!(boundary(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn a_frame_comes_out_as_soon_as_its_last_byte_is_in() {
        let image = picture(9);
        for headers in ["Content-Type: image/jpeg\r\n\r\n", "\r\n", ""] {
            let mut parser = Parser::new("frame");
            parser.push(b"--frame\r\n");
            parser.push(headers.as_bytes());
            parser.push(&image);
            assert_eq!(parser.next_part(), Ok(Some(image.clone())), "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_image_ends_at_the_next_boundary() {
        let stream = b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\nworld\r\n--b\r\n\r\nnext\r\n--b--\r\n";
        assert_eq!(parts("b", stream, 1).unwrap(), [b"hello\r\nworld".to_vec(), b"next".to_vec()]);
    }

    #[test]
    fn a_wrong_length_costs_one_frame_and_not_the_stream() {
        let (a, b) = (picture(1), picture(2));
        let mut stream = format!("--b\r\nContent-Length: {}\r\n\r\n", a.len() - 40).into_bytes();
        stream.extend_from_slice(&a);
        stream.extend_from_slice(b"\r\n--b\r\n\r\n");
        stream.extend_from_slice(&b);
        assert_eq!(parts("b", &stream, 7).unwrap(), [a[..a.len() - 40].to_vec(), b]);
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let head = "--b\r\nContent-Length: 99999999999\r\n\r\n";
        assert_eq!(parts("b", head.as_bytes(), 64), Err(MultipartError::PartTooLarge));
        let huge = [b"--b\r\n\r\nx".to_vec(), vec![b'y'; MAX_BYTES + 1]].concat();
        assert_eq!(parts("b", &huge, 1 << 20), Err(MultipartError::PartTooLarge));
        let headers = [b"--b\r\n".to_vec(), b"X: y\r\n".repeat(4000)].concat();
        assert_eq!(parts("b", &headers, 100), Err(MultipartError::HeadersTooLarge));
        let line = [b"--b\r\nX: ".to_vec(), vec![b'z'; 20_000]].concat();
        assert_eq!(parts("b", &line, 100), Err(MultipartError::HeadersTooLarge));
        assert_eq!(parts("b", &vec![b'q'; 300_000], 1000), Err(MultipartError::NoBoundary));
        assert_eq!(parts("b", &b"q\n".repeat(150_000), 1000), Err(MultipartError::NoBoundary));
    }

    proptest! {
        #[test]
        fn no_content_type_makes_it_panic(text in "[a-z/;=\" -]{0,60}|\\PC{0,60}") {
            let _ = boundary(&text);
            let _ = boundary(&format!("multipart/x-mixed-replace;{text}"));
        }

        #[test]
        fn every_style_of_stream_gives_its_frames_back(
            seeds in prop::collection::vec(any::<u8>(), 1..6),
            chunk in 1usize..3000,
            declared in prop::sample::select(vec!["frame", "--frame", "----WebKit7", ""]),
            length in any::<bool>(),
            kind in any::<bool>(),
            preamble in any::<bool>(),
            lf in any::<bool>(),
            gap in any::<bool>(),
        ) {
            let images: Vec<_> = seeds.iter().map(|s| picture(*s)).collect();
            let eol = if lf { "\n" } else { "\r\n" };
            let line = format!("--{}", if declared.is_empty() { "undeclared" } else { declared.trim_start_matches("--") });
            let mut stream = Vec::new();
            if preamble {
                stream.extend_from_slice(b"\r\n\r\n");
            }
            for image in &images {
                stream.extend_from_slice(format!("{line}{eol}").as_bytes());
                if kind {
                    stream.extend_from_slice(format!("Content-Type: image/jpeg{eol}").as_bytes());
                }
                if length {
                    stream.extend_from_slice(format!("content-length:{}{eol}", image.len()).as_bytes());
                }
                stream.extend_from_slice(eol.as_bytes());
                stream.extend_from_slice(image);
                if gap {
                    stream.extend_from_slice(eol.as_bytes());
                }
            }
            prop_assert_eq!(parts(declared, &stream, chunk).unwrap(), images);
        }

        #[test]
        fn no_bytes_make_it_panic_or_invent_data(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..60),
                    Just(b"\r\n--b\r\n".to_vec()),
                    Just(b"--b--".to_vec()),
                    Just(b"\n\n".to_vec()),
                    Just(b"Content-Length: 30\r\n".to_vec()),
                    Just(b"Content-Length: -1\r\n".to_vec()),
                    Just(vec![0xFF, 0xD8, 0xFF, 0xDA, 0, 2]),
                    Just(vec![0xFF, 0xD9]),
                ],
                0..40,
            ),
            chunk in 1usize..80,
            declared in prop::sample::select(vec!["b", "", "-", "--b"]),
        ) {
            let stream = pieces.concat();
            if let Ok(parts) = parts(declared, &stream, chunk) {
                prop_assert!(parts.iter().map(Vec::len).sum::<usize>() <= stream.len());
            }
        }
    }
}
