//! YUYV (YUY2, 4:2:2) to RGB, as uncompressed USB cameras deliver it: BT.601, limited range.

use image::RgbImage;

/// Converts a picture of `width` x `height` pixels whose rows are `stride` bytes apart. `None`
/// if the width is odd, or fewer bytes are there than the size needs.
pub(super) fn to_rgb(bytes: &[u8], width: u32, height: u32, stride: usize) -> Option<RgbImage> {
    let row = width as usize * 2;
    let stride = stride.max(row);
    if !width.is_multiple_of(2) || width == 0 || height == 0 {
        return None;
    }
    if bytes.len() < stride.checked_mul(height as usize - 1)?.checked_add(row)? {
        return None;
    }
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    for line in bytes.chunks(stride).take(height as usize) {
        for group in line[..row].chunks_exact(4) {
            let [y0, u, y1, v] = [group[0], group[1], group[2], group[3]].map(i32::from);
            let (u, v) = (u - 128, v - 128);
            // coefficients times 256; 128 rounds
            let (red, green, blue) = (409 * v + 128, -100 * u - 208 * v + 128, 516 * u + 128);
            for y in [y0, y1] {
                let y = 298 * (y - 16);
                pixels.extend([y + red, y + green, y + blue].map(|c| (c >> 8).clamp(0, 255) as u8));
            }
        }
    }
    RgbImage::from_raw(width, height, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_colours_are_right() {
        for ([y, u, v], rgb) in [
            ([16, 128, 128], [0, 0, 0]),
            ([235, 128, 128], [255, 255, 255]),
            ([81, 90, 240], [255, 0, 0]),
            ([145, 54, 34], [0, 255, 0]),
            ([41, 240, 110], [0, 0, 255]),
        ] {
            let image = to_rgb(&[y, u, y, v], 2, 1, 0).unwrap();
            for (got, wanted) in image.get_pixel(1, 0).0.iter().zip(rgb) {
                assert!(got.abs_diff(wanted) <= 2, "{:?} instead of {rgb:?}", image.get_pixel(1, 0));
            }
        }
    }

    #[test]
    fn padding_at_the_end_of_rows_is_left_out() {
        let bytes = [[16, 128, 16, 128, 9, 9], [235, 128, 235, 128, 9, 9]].concat();
        let image = to_rgb(&bytes, 2, 2, 6).unwrap();
        assert_eq!(image.into_raw(), [[0u8; 6], [255; 6]].concat());
        assert!(to_rgb(&bytes[..9], 2, 2, 6).is_none());
    }

    proptest! {
        #[test]
        fn no_size_or_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300), width in 0u32..20, height in 0u32..20, stride in 0usize..50,
        ) {
            let image = to_rgb(&bytes, width, height, stride);
            if let Some(image) = image {
                prop_assert_eq!(image.dimensions(), (width, height));
            }
        }
    }
}
