//! The shop that stands behind the shoppers: wall, lamps, shelves full of boxes, jars and bottles, a
//! tiled floor. Drawn once a camera and kept.

use super::draw::{Draw, Realm, mix, noise, step};
use image::{Rgb, RgbImage};

/// Draws the view `number` of the shop under `seed`.
pub fn draw(width: u32, height: u32, seed: u64, number: u64) -> RgbImage {
    let d = &mut Draw::new(Realm::Backdrop, seed, number);
    let (w, h) = (width as f32, height as f32);
    let bright = d.uniform(180.0, 208.0);
    let wall = [bright + d.uniform(-4.0, 14.0), bright + d.uniform(-6.0, 6.0), bright - d.uniform(0.0, 22.0)];
    let dark = d.uniform(110.0, 155.0);
    let floor = [dark + d.uniform(5.0, 25.0), dark, dark - d.uniform(5.0, 30.0)];
    let wood = [d.uniform(90.0, 160.0), d.uniform(70.0, 125.0), d.uniform(50.0, 95.0)];
    let grain = d.seed() as u32;
    let horizon = h * d.uniform(0.66, 0.76);
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let fine = 2.5 * noise(grain, x / 2.3, y / 2.3) + 6.0 * noise(grain ^ 1, x / 90.0, y / 60.0);
        let c = if y < horizon {
            wall.map(|c| c * mix(1.08, 0.86, y / horizon) + fine)
        } else {
            let depth = (y - horizon + 6.0) / (h - horizon);
            let (tx, ty) = ((x - 0.5 * w) / (0.25 + depth) / 70.0, 2.2 / depth);
            let joint = |t: f32| step(0.06, 0.02, (t - t.round()).abs()) * 0.10;
            let k = mix(0.72, 1.06, depth) * (1.0 - joint(tx) - joint(ty));
            floor.map(|c| c * k + fine)
        };
        Rgb(c.map(|v| v.clamp(0.0, 255.0) as u8))
    });
    for lamp in 0..3 {
        lay_lamp(
            &mut picture,
            w * (0.2 + 0.3 * lamp as f32 + d.uniform(-0.05, 0.05)),
            h * d.uniform(0.03, 0.07),
        );
    }
    let bays = 3 + d.below(3);
    let gap = d.uniform(0.01, 0.06) * w;
    let bay = (w - gap) / bays as f32;
    let top = h * d.uniform(0.16, 0.24);
    for i in 0..bays {
        if i > 0 && d.chance(0.15) {
            continue;
        }
        let left = gap + i as f32 * bay;
        shelf(&mut picture, [left, top, bay - gap, horizon + 0.05 * h - top], wood, d);
    }
    // out of focus, as behind someone who stands before the camera
    image::imageops::fast_blur(&picture, 1.1)
}

fn put(picture: &mut RgbImage, area: [f32; 4], mut colour: impl FnMut(f32, f32) -> Option<[f32; 3]>) {
    let [x0, y0, w, h] = area;
    for y in y0.max(0.0) as u32..((y0 + h).max(0.0) as u32).min(picture.height()) {
        for x in x0.max(0.0) as u32..((x0 + w).max(0.0) as u32).min(picture.width()) {
            if let Some(c) = colour((x as f32 - x0) / w, (y as f32 - y0) / h) {
                picture.put_pixel(x, y, Rgb(c.map(|v| v.clamp(0.0, 255.0) as u8)));
            }
        }
    }
}

fn lay_lamp(picture: &mut RgbImage, x: f32, y: f32) {
    let reach = 0.09 * picture.width() as f32;
    for py in 0..(y + reach).min(picture.height() as f32) as u32 {
        for px in (x - reach).max(0.0) as u32..(x + reach).clamp(0.0, picture.width() as f32) as u32 {
            let (u, v) = ((px as f32 - x) / reach, (py as f32 - y) / (0.55 * reach));
            let tube = step(1.05, 0.9, (u / 0.6).abs()) * step(1.2, 0.8, (v / 0.12).abs());
            let glow = (0.45 * step(1.0, 0.0, u.hypot(v))).max(tube);
            let p = picture.get_pixel_mut(px, py);
            p.0 = p.0.map(|c| mix(f32::from(c), 252.0, glow) as u8);
        }
    }
}

fn shelf(picture: &mut RgbImage, area: [f32; 4], wood: [f32; 3], d: &mut Draw) {
    let [x0, y0, w, h] = area;
    put(picture, area, |u, v| {
        Some(wood.map(|c| c * (0.42 + 0.1 * v) * (1.0 - 0.25 * step(0.04, 0.0, u.min(1.0 - u)))))
    });
    let boards = 4 + d.below(2);
    let each = h / boards as f32;
    for b in 0..boards {
        let board = y0 + (b + 1) as f32 * each;
        let mut x = x0 + 0.03 * w;
        // neighbours on a board are of one kind, as in a shop
        while x < x0 + 0.93 * w {
            let wide = d.uniform(0.06, 0.13) * w;
            let tall = each * d.uniform(0.45, 0.82);
            let colour = [d.uniform(40.0, 235.0), d.uniform(40.0, 215.0), d.uniform(40.0, 210.0)];
            let label = [d.uniform(120.0, 245.0), d.uniform(120.0, 240.0), d.uniform(110.0, 235.0)];
            let (kind, at) = (d.below(3), d.uniform(0.2, 0.55));
            for _ in 0..1 + d.below(4) {
                if x + wide > x0 + 0.97 * w {
                    break;
                }
                good(picture, [x, board - tall, 0.94 * wide, tall], kind, colour, label, at);
                x += wide;
            }
            x += 0.015 * w;
        }
        put(picture, [x0, board - 1.0, w, 0.055 * each + 4.0], |_, v| {
            Some(wood.map(|c| c * mix(1.15, 0.75, v)))
        });
        let tags = 3 + d.below(4);
        for t in 0..tags {
            let tx = x0 + w * (t as f32 + 0.4) / tags as f32;
            put(picture, [tx, board + 1.0, 0.04 * w, 0.05 * each + 2.0], |_, _| Some([236.0, 232.0, 214.0]));
        }
    }
}

fn good(picture: &mut RgbImage, area: [f32; 4], kind: usize, colour: [f32; 3], label: [f32; 3], at: f32) {
    put(picture, area, |u, v| {
        let half = match kind {
            0 => 0.5,
            1 => mix(0.40, 0.5, step(0.08, 0.16, v)),
            _ => mix(0.16, 0.46, step(0.25, 0.42, v)),
        };
        let off = (u - 0.5).abs();
        if off > half {
            return None;
        }
        let round = if kind == 0 { 1.0 - 0.18 * u } else { 1.05 - 0.75 * (off / half).powi(2) * 0.7 };
        let on_label = (v - at - 0.15).abs() < 0.16 && kind != 2 || kind == 2 && (v - 0.68).abs() < 0.14;
        let c = if on_label { label } else { colour };
        let lines = if on_label && ((v * 40.0) as i32) % 4 == 0 && off < 0.3 { 0.6 } else { 1.0 };
        Some(c.map(|c| c * round * lines * 0.92))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backdrop_is_the_same_every_time_and_differs_between_cameras() {
        let a = draw(240, 135, 4, 0);
        assert_eq!(a, draw(240, 135, 4, 0));
        assert_ne!(a, draw(240, 135, 4, 1));
    }
}
