//! The one decoder of images of the whole program: camera frames, enrolment photos, what a
//! browser posts. The bytes come from anyone, so: JPEG and PNG only, told by their first bytes
//! and not by a name; the size is read from the header before memory is taken; no input panics.

use crate::camera::jpeg::{Step, Walk};
use image::codecs::{jpeg::JpegDecoder, png::PngDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, Limits, RgbImage};
use std::io::Cursor;

/// Most bytes of a coded image: 32 MiB.
pub const MAX_BYTES: usize = 32 << 20;
/// Shortest side, pixels.
pub const MIN_SIDE: u32 = 16;
/// Longest side, pixels.
pub const MAX_SIDE: u32 = 8192;
/// Most pixels: 40 million.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Most memory that decoding may take, bytes.
const MAX_MEMORY: u64 = 256 << 20;

/// Why bytes are not an image that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes.
    #[error("the image is empty (0 bytes)")]
    Empty,
    /// More than [`MAX_BYTES`].
    #[error("the image has {0} bytes; at most 33554432 (32 MiB) are accepted: make it smaller")]
    TooManyBytes(usize),
    /// Neither JPEG nor PNG.
    #[error("not a JPEG or PNG image but {0}: save it as JPEG or PNG")]
    NotAnImage(&'static str),
    /// The end of a JPEG is missing.
    #[error("the JPEG image stops before its end: it was cut off while being sent or saved")]
    CutShort,
    /// A side or the number of pixels is out of range.
    #[error("the image is {width}x{height} pixels; a side must have 16 to 8192, and all at most 40 million")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// Legal, but it would take more memory than is granted.
    #[error(
        "decoding the {width}x{height} image would take more than 256 MiB: make it smaller, or save it as a plain (not progressive) JPEG"
    )]
    TooMuchMemory {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The content contradicts the format.
    #[error("the {format} image is damaged: {why}")]
    Damaged {
        /// `JPEG` or `PNG`.
        format: &'static str,
        /// What the decoder found.
        why: String,
    },
}

/// A format that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Jpeg,
    Png,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
        }
    }
}

/// Checks what can be known without decoding: the number of bytes and the format.
pub fn sniff(bytes: &[u8]) -> Result<(), DecodeError> {
    format_of(bytes).map(|_| ())
}

/// Decodes a JPEG or PNG to RGB, 8 bits a channel, upright (the EXIF orientation of a phone's
/// photo is applied), without alpha. Sides 16 to 8192 pixels, at most 40 million in all.
///
/// A JPEG that was cut short is refused: half a grey face is no face.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let format = format_of(bytes)?;
    // no input is known to panic the decoders; if one ever does, it is a bad image and not the
    // end of a camera
    std::panic::catch_unwind(|| match format {
        Format::Jpeg => decode_jpeg(bytes),
        Format::Png => decode_png(bytes),
    })
    .unwrap_or_else(|_| Err(damaged(format, "the decoder failed on it")))
}

fn damaged(format: Format, why: impl std::fmt::Display) -> DecodeError {
    let mut why = why.to_string();
    why.retain(|c| !c.is_control());
    DecodeError::Damaged { format: format.name(), why }
}

fn format_of(bytes: &[u8]) -> Result<Format, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooManyBytes(bytes.len()));
    }
    Err(DecodeError::NotAnImage(match bytes {
        [] => return Err(DecodeError::Empty),
        [0xFF, 0xD8, 0xFF, ..] => return Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => return Ok(Format::Png),
        [b'G', b'I', b'F', b'8', ..] => "a GIF",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "a WebP image",
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', ..] => "an HEIC photo",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => "an AVIF image",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "a video",
        [b'B', b'M', ..] => "a BMP image",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "a TIFF image",
        [b'%', b'P', b'D', b'F', ..] => "a PDF",
        [b'<', ..] => "a web page or XML",
        bytes if bytes.iter().take(64).all(|b| (b' '..=b'~').contains(b) || b.is_ascii_whitespace()) => {
            "text"
        }
        _ => "something unknown",
    }))
}

/// Refuses sizes that are out of range.
fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    let sides = MIN_SIDE..=MAX_SIDE;
    if !sides.contains(&width)
        || !sides.contains(&height)
        || u64::from(width) * u64::from(height) > MAX_PIXELS
    {
        return Err(DecodeError::Size { width, height });
    }
    Ok(())
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    limits
}

fn decode_jpeg(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let mut walk = Walk::default();
    let step = walk.advance(bytes);
    if let Some(header) = walk.header() {
        check_size(header.width, header.height)?;
        // progressive: three planes of 16-bit coefficients beside the pixels
        let pixel = if header.progressive { 9 } else { 3 };
        if u64::from(header.width) * u64::from(header.height) * pixel > MAX_MEMORY {
            return Err(DecodeError::TooMuchMemory { width: header.width, height: header.height });
        }
    }
    if step == Step::More {
        return Err(DecodeError::CutShort);
    }
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|e| damaged(Format::Jpeg, e))?;
    finish(decoder, Format::Jpeg)
}

fn decode_png(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    // the signature, then always IHDR: length, name, width, height
    if let Some([w3, w2, w1, w0, h3, h2, h1, h0]) = bytes.get(16..24) {
        check_size(u32::from_be_bytes([*w3, *w2, *w1, *w0]), u32::from_be_bytes([*h3, *h2, *h1, *h0]))?;
    }
    let decoder =
        PngDecoder::with_limits(Cursor::new(bytes), limits()).map_err(|e| damaged(Format::Png, e))?;
    finish(decoder, Format::Png)
}

fn finish(mut decoder: impl ImageDecoder, format: Format) -> Result<RgbImage, DecodeError> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    if decoder.total_bytes() > MAX_MEMORY {
        return Err(DecodeError::TooMuchMemory { width, height });
    }
    let fail = |e| match e {
        ImageError::Limits(_) => DecodeError::TooMuchMemory { width, height },
        e => damaged(format, e),
    };
    decoder.set_limits(limits()).map_err(fail)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(fail)?;
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
    use proptest::prelude::*;

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
        })
    }

    fn jpeg(image: &RgbImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(image).unwrap();
        bytes
    }

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_with_encoder(PngEncoder::new(&mut bytes)).unwrap();
        bytes
    }

    #[test]
    fn jpeg_and_png_of_every_colour_type_become_rgb() {
        let image = gradient(64, 40);
        let decoded = decode(&jpeg(&image)).unwrap();
        assert_eq!(decoded.dimensions(), (64, 40));
        let off: i32 =
            decoded.iter().zip(image.iter()).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).sum();
        assert!(off / 7680 < 4, "mean error {}", off as f32 / 7680.0);
        assert_eq!(decode(&png(&image.clone().into())).unwrap(), image);
        let dynamic = DynamicImage::from(image);
        for other in [
            DynamicImage::from(dynamic.to_luma8()),
            dynamic.to_luma16().into(),
            dynamic.to_rgba8().into(),
            dynamic.to_rgba16().into(),
        ] {
            assert_eq!(decode(&png(&other)).unwrap().dimensions(), (64, 40));
        }
    }

    #[test]
    fn a_phone_photo_taken_upright_stands_upright() {
        let image = jpeg(&gradient(64, 40));
        // EXIF, big endian, one entry: orientation (0x0112) = 6, turn a quarter to the right
        let tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE1];
        bytes.extend_from_slice(&(8 + tiff.len() as u16).to_be_bytes());
        bytes.extend_from_slice(b"Exif\0\0");
        bytes.extend_from_slice(tiff);
        bytes.extend_from_slice(&image[2..]);
        assert_eq!(decode(&bytes).unwrap().dimensions(), (40, 64));
    }

    #[test]
    fn what_is_no_jpeg_or_png_is_named() {
        for (bytes, name) in [
            (&b"GIF89a......"[..], "a GIF"),
            (b"RIFF....WEBPVP8 ", "a WebP"),
            (b"\0\0\0\x18ftypheic....", "an HEIC"),
            (b"<!DOCTYPE html><html>", "a web page"),
            (b"sku,name,price", "text"),
            (b"\x01\x02\x03\x04", "something unknown"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(matches!(error, DecodeError::NotAnImage(what) if what.starts_with(name)), "{error}");
        }
        assert_eq!(decode(b""), Err(DecodeError::Empty));
        assert_eq!(sniff(&vec![0xFF; MAX_BYTES + 1]), Err(DecodeError::TooManyBytes(MAX_BYTES + 1)));
    }

    #[test]
    fn an_image_cut_short_is_refused() {
        let bytes = jpeg(&gradient(200, 200));
        for part in [3, 100, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(decode(&bytes[..part]), Err(DecodeError::CutShort), "after {part} bytes");
        }
        let bytes = png(&gradient(200, 200).into());
        assert!(matches!(decode(&bytes[..bytes.len() / 2]), Err(DecodeError::Damaged { format: "PNG", .. })));
    }

    #[test]
    fn a_size_out_of_range_is_refused_before_memory_is_taken() {
        // a small image whose header lies
        let mut bytes = jpeg(&gradient(64, 64));
        let sof = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        bytes[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(decode(&bytes), Err(DecodeError::Size { width: 65535, height: 65535 }));
        bytes[sof + 5..sof + 9].copy_from_slice(&[0x1F, 0x40, 0x1F, 0x40]);
        assert_eq!(decode(&bytes), Err(DecodeError::Size { width: 8000, height: 8000 }));
        let mut bytes = png(&gradient(64, 64).into());
        bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        assert_eq!(decode(&bytes), Err(DecodeError::Size { width: 65536, height: 65536 }));
        assert_eq!(decode(&jpeg(&gradient(15, 64))), Err(DecodeError::Size { width: 15, height: 64 }));
    }

    #[test]
    fn a_large_progressive_image_is_refused_for_its_memory() {
        let mut bytes = jpeg(&gradient(64, 64));
        let sof = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        bytes[sof + 1] = 0xC2;
        bytes[sof + 5..sof + 9].copy_from_slice(&[0x17, 0x70, 0x17, 0x70]);
        assert_eq!(decode(&bytes), Err(DecodeError::TooMuchMemory { width: 6000, height: 6000 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn no_bytes_make_it_panic(start in 0usize..3, tail in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = [&b"\xFF\xD8\xFF"[..], b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR", b""][start].to_vec();
            bytes.extend(tail);
            let _ = decode(&bytes);
        }

        #[test]
        fn a_damaged_image_is_an_error_or_an_image_and_never_a_panic(
            png_format in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            keep in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let image = gradient(48, 33);
            let mut bytes = if png_format { png(&image.into()) } else { jpeg(&image) };
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if cut {
                bytes.truncate(keep.index(bytes.len()));
            }
            if let Ok(image) = decode(&bytes) {
                prop_assert!(image.width() >= MIN_SIDE && image.width() <= MAX_SIDE);
                prop_assert!(image.height() >= MIN_SIDE && image.height() <= MAX_SIDE);
            }
        }
    }
}
