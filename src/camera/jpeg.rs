//! The outer structure of a JPEG (ITU-T T.81, annex B): where an image ends within a stream of
//! bytes, and its size, without decoding it. [`Splitter`] cuts images out of a pipe.
//!
//! Walking a growing buffer examines each byte once. Nothing here trusts a length.

use crate::camera::decode::MAX_BYTES;

/// What the frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Pixels across.
    pub width: u32,
    /// Pixels down; 0 if the file gives it later.
    pub height: u32,
    /// Whether all coefficients must be held in memory before the first pixel is known.
    pub progressive: bool,
}

/// How far a [`Walk`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The image is complete and has this many bytes.
    End(usize),
    /// So far a JPEG, but its end is not there yet.
    More,
    /// Not a JPEG, or a damaged one.
    Broken,
}

/// Walks along the markers of one image.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    at: usize,
    in_scan: bool,
    header: Option<Header>,
}

impl Walk {
    /// The frame header, once it was passed.
    pub(crate) fn header(&self) -> Option<Header> {
        self.header
    }

    /// Goes on through `image`, which begins with the image's first byte and holds at least
    /// what it held at the last call.
    pub(crate) fn advance(&mut self, image: &[u8]) -> Step {
        if self.at == 0 {
            match image {
                [] | [0xFF] => return Step::More,
                [0xFF, 0xD8, ..] => self.at = 2,
                _ => return Step::Broken,
            }
        }
        loop {
            let Some(rest) = image.get(self.at..) else { return Step::More };
            if self.in_scan {
                match rest.iter().position(|b| *b == 0xFF) {
                    None => {
                        self.at = image.len();
                        return Step::More;
                    }
                    Some(n) => self.at += n,
                }
                match image.get(self.at + 1) {
                    None => return Step::More,
                    Some(0x00 | 0xD0..=0xD7) => self.at += 2,
                    Some(0xFF) => self.at += 1,
                    Some(_) => self.in_scan = false,
                }
                continue;
            }
            match *rest {
                [] | [0xFF] => return Step::More,
                [0xFF, 0xFF, ..] => self.at += 1,
                [0xFF, 0xD9, ..] => return Step::End(self.at + 2),
                [0xFF, 0x01 | 0xD0..=0xD7, ..] => self.at += 2,
                [0xFF, 0x00 | 0xD8, ..] => return Step::Broken,
                [0xFF, marker, high, low, ..] => {
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    if length < 2 {
                        return Step::Broken;
                    }
                    // SOF0 to SOF15 without DHT, JPG and DAC, which share their range
                    if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
                        let [_, _, _, _, _, h1, h0, w1, w0, ..] = *rest else { return Step::More };
                        self.header = Some(Header {
                            width: u32::from(u16::from_be_bytes([w1, w0])),
                            height: u32::from(u16::from_be_bytes([h1, h0])),
                            progressive: matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE),
                        });
                    }
                    self.in_scan = marker == 0xDA;
                    self.at += 2 + length;
                }
                [0xFF, ..] => return Step::More,
                _ => return Step::Broken,
            }
        }
    }
}

/// Cuts JPEG images out of a stream that is nothing but images one after the other, and finds
/// the next one after damage. Holds at most one image of [`MAX_BYTES`] and what was pushed last.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    buffer: Vec<u8>,
    walk: Walk,
    skipped: u64,
}

impl Splitter {
    /// Takes more of the stream. Call [`Splitter::next_image`] until it is `None` after each.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes since the last image that belonged to none.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next whole image, if it has arrived.
    pub(crate) fn next_image(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.walk.advance(&self.buffer) {
                Step::End(length) => {
                    let rest = self.buffer.split_off(length);
                    self.walk = Walk::default();
                    self.skipped = 0;
                    return Some(std::mem::replace(&mut self.buffer, rest));
                }
                Step::More if self.buffer.len() <= MAX_BYTES => return None,
                Step::More | Step::Broken => self.resynchronise(),
            }
        }
    }

    /// Drops what is before the next start of an image.
    fn resynchronise(&mut self) {
        let start = self.buffer.windows(3).skip(1).position(|w| w == [0xFF, 0xD8, 0xFF]).map(|n| n + 1);
        // without one, the last two bytes may still begin one
        let start = start.unwrap_or_else(|| match self.buffer.as_slice() {
            [_, .., 0xFF, 0xD8] => self.buffer.len() - 2,
            [_, .., 0xFF] => self.buffer.len() - 1,
            all => all.len(),
        });
        self.skipped += start as u64;
        self.buffer.drain(..start);
        self.walk = Walk::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use proptest::prelude::*;

    fn picture(width: u32, height: u32, seed: u8) -> Vec<u8> {
        let image = image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([(x as u8).wrapping_mul(seed), (y as u8).wrapping_add(seed), (x ^ y) as u8])
        });
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(&image).unwrap();
        bytes
    }

    #[test]
    fn the_end_and_the_size_of_an_image_are_found() {
        let bytes = picture(70, 50, 3);
        let mut walk = Walk::default();
        let mut with_tail = bytes.clone();
        with_tail.extend_from_slice(b"\r\n--next");
        assert_eq!(walk.advance(&with_tail), Step::End(bytes.len()));
        assert_eq!(walk.header(), Some(Header { width: 70, height: 50, progressive: false }));
        assert_eq!(Walk::default().advance(&bytes[..bytes.len() - 1]), Step::More);
        assert_eq!(Walk::default().advance(b"GIF89a"), Step::Broken);
    }

    #[test]
    fn a_thumbnail_within_an_image_does_not_end_it() {
        let thumbnail = picture(16, 16, 1);
        let image = picture(64, 48, 2);
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE1];
        bytes.extend_from_slice(&u16::try_from(thumbnail.len() + 2).unwrap().to_be_bytes());
        bytes.extend_from_slice(&thumbnail);
        bytes.extend_from_slice(&image[2..]);
        assert_eq!(Walk::default().advance(&bytes), Step::End(bytes.len()));
    }

    #[test]
    fn images_after_damage_are_found_again() {
        let (a, b) = (picture(32, 32, 5), picture(40, 32, 7));
        let mut splitter = Splitter::default();
        splitter.push(b"noise");
        splitter.push(&a[..a.len() / 2]); // cut short, then the next begins
        splitter.push(&b);
        splitter.push(&a);
        assert_eq!(splitter.next_image(), Some(b));
        assert_eq!(splitter.next_image(), Some(a));
        assert_eq!(splitter.next_image(), None);
    }

    proptest! {
        #[test]
        fn images_come_out_as_they_went_in_however_the_pipe_cuts_them(
            seeds in prop::collection::vec(1u8..255, 1..5),
            cuts in prop::collection::vec(1usize..900, 1..60),
        ) {
            let images: Vec<_> = seeds.iter().map(|s| picture(24 + u32::from(*s % 16), 24, *s)).collect();
            let stream = images.concat();
            let mut splitter = Splitter::default();
            let (mut out, mut at) = (Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(stream.len());
                splitter.push(&stream[at..end]);
                while let Some(image) = splitter.next_image() {
                    out.push(image);
                }
                at = end;
                if at == stream.len() {
                    break;
                }
            }
            prop_assert_eq!(out, images);
        }

        #[test]
        fn no_bytes_make_it_panic_or_hold_on_to_noise(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xFF), Just(0xD8), Just(0xDA), Just(0)], 0..3000),
            cut in 1usize..500,
        ) {
            let mut splitter = Splitter::default();
            let mut out = 0;
            for chunk in bytes.chunks(cut) {
                splitter.push(chunk);
                while let Some(image) = splitter.next_image() {
                    out += image.len();
                }
            }
            prop_assert!(out + splitter.buffer.len() <= bytes.len());
        }
    }
}
