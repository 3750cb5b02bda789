//! Films for a fake camera: rendered shoppers, cards and empty rooms as concatenated JPEGs, which a
//! browser plays at 30 frames a second, again and again.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use shopguide::demo::{Cast, CastId};
use std::io::Write;
use std::path::Path;

/// Frames a second at which a browser plays it.
const FPS: usize = 30;

fn framed(picture: &RgbImage) -> RgbImage {
    let mut frame = RgbImage::from_pixel(640, 480, Rgb([126, 124, 120]));
    let x = (640 - i64::from(picture.width())) / 2;
    let y = (480 - i64::from(picture.height())) / 2;
    image::imageops::overlay(&mut frame, picture, x, y);
    frame
}

/// A picture as a browser sends it.
pub fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(picture).unwrap();
    bytes
}

/// Scenes, each for so many seconds.
pub fn write(path: &Path, scenes: &[(Vec<RgbImage>, f32)]) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for (pictures, seconds) in scenes {
        let coded: Vec<Vec<u8>> = pictures.iter().map(|p| jpeg(&framed(p))).collect();
        let frames = (seconds * FPS as f32) as usize;
        for n in 0..frames {
            file.write_all(&coded[n * coded.len() / frames]).unwrap();
        }
    }
    file.flush().unwrap();
}

/// A rendered shopper in several poses. Nobody who exists.
pub fn shopper(number: usize) -> Vec<RgbImage> {
    Cast::new(11, 4, 0).photos(CastId::Member(number), 9)
}

/// Nobody.
pub fn empty() -> Vec<RgbImage> {
    vec![RgbImage::from_pixel(640, 480, Rgb([118, 120, 122]))]
}

/// A card held before the camera.
pub fn card(token: &str) -> Vec<RgbImage> {
    let code = qrcode::QrCode::new(token).unwrap();
    let (side, modules) = (code.width() as u32, code.to_colors());
    let scale = 9;
    vec![RgbImage::from_fn((side + 8) * scale, (side + 8) * scale, |x, y| {
        let at = |v: u32| (v / scale).checked_sub(4).filter(|v| *v < side);
        let dark =
            at(x).zip(at(y)).is_some_and(|(x, y)| modules[(y * side + x) as usize] == qrcode::Color::Dark);
        Rgb(if dark { [28; 3] } else { [232; 3] })
    })]
}
