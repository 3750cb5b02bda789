//! Reading the code of a card out of a frame. No network: the finder patterns of a QR code are searched
//! for. What is read is text from outside and is checked by whoever takes it.

use image::RgbImage;

/// Longest text of a card.
const LONGEST: usize = 64;

/// The text of the first readable QR code in the picture; `None` without one, or when it cannot be a
/// card's token.
pub fn read(picture: &RgbImage) -> Option<String> {
    let (width, height) = picture.dimensions();
    if width < 21 || height < 21 {
        return None;
    }
    let luma = |x: usize, y: usize| {
        let [r, g, b] = picture.get_pixel(x as u32, y as u32).0;
        ((u16::from(r) + 2 * u16::from(g) + u16::from(b)) / 4) as u8
    };
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width as usize, height as usize, luma);
    let texts = prepared.detect_grids().into_iter().filter_map(|grid| grid.decode().ok());
    texts.map(|(_, text)| text.trim().to_owned()).find(|text| (1..=LONGEST).contains(&text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A QR code of `text`, `scale` pixels a module, on a grey table.
    fn picture(text: &str, scale: u32) -> RgbImage {
        let code = qrcode::QrCode::new(text).unwrap();
        let (side, modules) = (code.width() as u32, code.to_colors());
        let quiet = 4 * scale;
        RgbImage::from_fn(side * scale + 2 * quiet, side * scale + 2 * quiet, |x, y| {
            let at = |v: u32| v.checked_sub(quiet).map(|v| v / scale).filter(|v| *v < side);
            let dark = at(x)
                .zip(at(y))
                .is_some_and(|(x, y)| modules[(y * side + x) as usize] == qrcode::Color::Dark);
            image::Rgb(if dark { [30; 3] } else { [225; 3] })
        })
    }

    #[test]
    fn a_card_is_read() {
        assert_eq!(read(&picture("7K2M9QXW4TRB8NVC3JHD", 4)).as_deref(), Some("7K2M9QXW4TRB8NVC3JHD"));
    }

    #[test]
    fn what_is_no_card_is_not_read() {
        assert_eq!(read(&RgbImage::new(0, 0)), None);
        assert_eq!(read(&RgbImage::from_pixel(64, 64, image::Rgb([200; 3]))), None);
        assert_eq!(read(&picture(&"x".repeat(65), 4)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_damaged_code_panics(
            holes in prop::collection::vec((0u32..120, 0u32..120, any::<u8>()), 0..400),
            width in 21u32..120,
        ) {
            let mut damaged = picture("7K2M9QXW4TRB8NVC3JHD", 4);
            for (x, y, v) in holes {
                if let Some(pixel) = damaged.get_pixel_mut_checked(x, y) { pixel.0 = [v; 3]; }
            }
            let _ = read(&damaged);
            let _ = read(&image::imageops::crop_imm(&damaged, 0, 0, width, 60).to_image());
        }
    }
}
