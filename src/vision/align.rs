//! Alignment: the similarity transform (no reflection) that brings five landmarks nearest to the
//! template, in the least-squares sense (Umeyama 1991; in the plane it is a complex regression),
//! and the 112x112 crop taken under it. The sampler serves other crops too.

use super::Point;
use image::RgbImage;

/// Side of an aligned crop in pixels.
pub const SIDE: u32 = 112;

/// The five target points in a 112x112 crop: eyes, nose tip, mouth corners, left before right as
/// seen in the picture (ArcFace's template).
pub const TEMPLATE: [Point; 5] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];

/// `x' = a x - b y + tx`, `y' = b x + a y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Scale times the cosine of the rotation.
    pub a: f32,
    /// Scale times the sine of the rotation.
    pub b: f32,
    /// Shift in x.
    pub tx: f32,
    /// Shift in y.
    pub ty: f32,
}

impl Similarity {
    /// The one that brings `from` nearest to `to`; `None` if `from` is a single point or not finite.
    pub fn between(from: &[Point; 5], to: &[Point; 5]) -> Option<Similarity> {
        let mean = |points: &[Point; 5]| {
            let sum = points.iter().fold([0.0f32; 2], |s, p| [s[0] + p[0], s[1] + p[1]]);
            [sum[0] / 5.0, sum[1] / 5.0]
        };
        let (m, n) = (mean(from), mean(to));
        let (mut dot, mut cross, mut norm) = (0.0f32, 0.0f32, 0.0f32);
        for (p, q) in from.iter().zip(to) {
            let (px, py, qx, qy) = (p[0] - m[0], p[1] - m[1], q[0] - n[0], q[1] - n[1]);
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
            norm += px * px + py * py;
        }
        let (a, b) = (dot / norm, cross / norm);
        let sound = norm > 1e-6 && a.is_finite() && b.is_finite() && a * a + b * b > 1e-12;
        sound.then(|| Similarity { a, b, tx: n[0] - (a * m[0] - b * m[1]), ty: n[1] - (b * m[0] + a * m[1]) })
    }

    /// Where it brings a point.
    pub fn apply(&self, [x, y]: Point) -> Point {
        [self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty]
    }

    /// Its scale, above 0.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// The way back.
    pub fn inverse(&self) -> Similarity {
        let norm = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / norm, -self.b / norm);
        Similarity { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) }
    }
}

/// The aligned 112x112 crop of the face with these landmarks; `None` if they are no face.
/// What lies outside the picture repeats its edge.
pub fn crop(image: &RgbImage, landmarks: &[Point; 5]) -> Option<RgbImage> {
    let transform = Similarity::between(landmarks, &TEMPLATE)?;
    warp::<{ SIDE as usize }>(image, &transform.inverse(), Outside::Edge)
}

/// What a crop holds where it leaves the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// The picture's edge, repeated.
    Edge,
    /// Black.
    Black,
}

/// Bits of a place behind the point: 1/65536 of a pixel.
const FRACTION: u32 = 16;

/// Samples `image` at `back` of each pixel of an N x N crop, bilinear, in whole numbers; when the
/// crop shrinks the picture, each pixel is the mean of several samples, as if shrunk by area. Whole
/// coordinates are the middles of pixels. `None` for a picture of less than 2x2 pixels.
pub fn warp<const N: usize>(image: &RgbImage, back: &Similarity, outside: Outside) -> Option<RgbImage> {
    if image.width() < 2 || image.height() < 2 {
        return None;
    }
    let samples = back.scale().round().clamp(1.0, 6.0) as usize;
    let fixed = |v: f32| (v as f64 * (1u32 << FRACTION) as f64).round() as i64;
    let step = 1.0 / samples as f32;
    let offset = |k: usize| (step - 1.0) / 2.0 + k as f32 * step;
    let (along_x, along_y) = (fixed(back.a), fixed(back.b));
    let count = (samples * samples) as u32;
    let half = 1i64 << (FRACTION - 1);
    let (right, low) =
        (((image.width() as i64) << FRACTION) - half, ((image.height() as i64) << FRACTION) - half);
    let is_inside = |x: i64, y: i64| x >= -half && y >= -half && x < right && y < low;
    let mut sums = [[0u32; 3]; N];
    let mut out = vec![0u8; N * N * 3];
    for (v, row) in out.chunks_exact_mut(N * 3).enumerate() {
        sums.fill([count / 2; 3]);
        for (j, i) in (0..samples).flat_map(|j| (0..samples).map(move |i| (j, i))) {
            let [x, y] = back.apply([offset(i), v as f32 + offset(j)]);
            let (mut x, mut y) = (fixed(x), fixed(y));
            for sum in &mut sums {
                if outside == Outside::Edge || is_inside(x, y) {
                    add_sample(image, x, y, sum);
                }
                x += along_x;
                y += along_y;
            }
        }
        for (pixel, sum) in row.chunks_exact_mut(3).zip(&sums) {
            for (value, sum) in pixel.iter_mut().zip(sum) {
                *value = (sum / count) as u8;
            }
        }
    }
    RgbImage::from_raw(N as u32, N as u32, out)
}

/// Adds the bilinear sample at a place in 1/65536 of a pixel; `image` is at least 2x2.
#[inline]
fn add_sample(image: &RgbImage, x: i64, y: i64, sum: &mut [u32; 3]) {
    let (w, h) = (image.width() as i64, image.height() as i64);
    let (x, y) = (x.clamp(0, (w - 1) << FRACTION), y.clamp(0, (h - 1) << FRACTION));
    // The last column and row are reached with a share of 1 from the ones before.
    let (x0, y0) = ((x >> FRACTION).min(w - 2), (y >> FRACTION).min(h - 2));
    let share = |from: i64, whole: i64| ((from - (whole << FRACTION) + 128) >> 8) as u32;
    let (fx, fy) = (share(x, x0), share(y, y0));
    let at = (y0 * w + x0) as usize * 3;
    let pixels = image.as_raw();
    let upper = &pixels[at..at + 6];
    let lower = &pixels[at + 3 * w as usize..at + 3 * w as usize + 6];
    for c in 0..3 {
        let top = upper[c] as u32 * (256 - fx) + upper[c + 3] as u32 * fx;
        let low = lower[c] as u32 * (256 - fx) + lower[c + 3] as u32 * fx;
        sum[c] += (top * (256 - fy) + low * fy + (1 << 15)) >> 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use proptest::prelude::*;

    #[test]
    fn a_face_on_the_template_is_cropped_unchanged() {
        let image = RgbImage::from_fn(112, 112, |x, y| Rgb([x as u8 * 2, y as u8 * 2, (x ^ y) as u8]));
        assert_eq!(crop(&image, &TEMPLATE).unwrap(), image);
    }

    #[test]
    fn beyond_the_edge_the_picture_repeats_and_shrinking_averages() {
        let split = RgbImage::from_fn(300, 300, |x, _| Rgb(if x < 150 { [10; 3] } else { [200; 3] }));
        let outside = TEMPLATE.map(|[x, y]| [x + 250.0, y - 90.0]);
        let taken = crop(&split, &outside).unwrap();
        assert!(taken.pixels().all(|p| *p == Rgb([200; 3])));
        let stripes = RgbImage::from_fn(600, 600, |x, _| Rgb([if x % 2 == 0 { 0 } else { 255 }; 3]));
        let shrunk = crop(&stripes, &TEMPLATE.map(|[x, y]| [5.0 * x, 5.0 * y])).unwrap();
        let inside = shrunk.enumerate_pixels().filter(|(x, _, _)| *x > 0);
        assert!(inside.map(|p| p.2[0]).all(|v| (96..=160).contains(&v)), "stripes must turn grey");
    }

    #[test]
    fn one_point_five_times_is_no_face() {
        let image = RgbImage::new(10, 10);
        assert!(crop(&image, &[[3.0, 3.0]; 5]).is_none());
        assert!(crop(&image, &[[f32::NAN, 3.0]; 5]).is_none());
        assert!(crop(&RgbImage::new(0, 0), &TEMPLATE).is_none());
    }

    #[test]
    fn a_mirrored_face_is_not_reflected_back() {
        let mirrored = TEMPLATE.map(|[x, y]| [-x, y]);
        let t = Similarity::between(&mirrored, &TEMPLATE).unwrap();
        // A rotation keeps the sense of rotation: determinant a² + b² > 0 by its very form.
        let fit: f32 =
            mirrored.iter().zip(TEMPLATE).map(|(p, q)| (t.apply(*p)[0] - q[0]).abs()).fold(0.0, f32::max);
        assert!(fit > 5.0, "a reflection would have fitted exactly");
    }

    proptest! {
        #[test]
        fn a_turned_scaled_shifted_face_comes_back_to_the_template(
            angle in -3.1f32..3.1, scale in 0.2f32..6.0, tx in -500f32..500.0, ty in -500f32..500.0
        ) {
            let away = Similarity { a: scale * angle.cos(), b: scale * angle.sin(), tx, ty };
            let landmarks = TEMPLATE.map(|p| away.apply(p));
            let back = Similarity::between(&landmarks, &TEMPLATE).unwrap();
            for (p, q) in landmarks.iter().zip(TEMPLATE) {
                let r = back.apply(*p);
                prop_assert!((r[0] - q[0]).abs() < 0.05 && (r[1] - q[1]).abs() < 0.05);
            }
            let there = back.inverse().apply(TEMPLATE[2]);
            prop_assert!((there[0] - landmarks[2][0]).abs() < 0.1);
        }
    }
}
