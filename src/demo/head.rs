//! The shape of a head: rings of a given half width, front and back, and on them a relief of brow
//! ridge, sockets, nose, lips, cheeks and chin. The origin lies between the eyes on the axis of
//! the head. [`Head::point`] is the one description of the surface; mesh, paint and landmarks
//! all ask it.

use super::draw::{bell, mix, rough, step};
use super::look::{BeardCut, ShopperLook};
use super::raster::V3;
use std::f32::consts::PI;

/// A head's surface.
pub struct Head<'a> {
    /// Whose.
    pub look: &'a ShopperLook,
    rings: Vec<Ring>,
}

#[derive(Clone, Copy)]
struct Ring {
    half_width: f32,
    front: f32,
    back: f32,
    widest: f32,
}

const RINGS: usize = 240;

impl<'a> Head<'a> {
    /// Prepares the surface of `look`.
    pub fn new(look: &'a ShopperLook) -> Self {
        let [up, down] = look.heights;
        let [w0, w1, w2, w3] = look.half_widths;
        let [lean, chin, _, _] = look.profile;
        // Height, half width, front, back.
        let knots: Vec<[f32; 4]> = vec![
            [up, 0.0, -1.0, -1.05],
            [0.99 * up, 0.27 * w0, 2.0, -3.6],
            [0.955 * up, 0.52 * w0, 4.0, -5.6],
            [0.86 * up, 0.78 * w0, 6.3 - 0.9 * lean, -7.7],
            [0.70 * up, 0.94 * w0, 7.9 - 0.9 * lean, -9.0],
            [0.50 * up, w0, 8.8 - 0.6 * lean, -9.6],
            [2.0, mix(w0, w1, 0.55), 9.1, -9.9],
            [-1.5, w1, 8.75, -9.3],
            [-0.35 * down, mix(w1, w2, 0.42), 8.8, -7.4],
            [-0.56 * down, w2, 8.85, -3.5],
            [-0.74 * down, mix(w2, w3, 0.48), 8.6 + 0.4 * chin, 0.0],
            [-0.88 * down, w3, 8.6 + chin, 3.2],
            [-0.965 * down, 0.62 * w3, 8.0 + chin, 4.8],
            [-down, 0.2, 6.3 + chin, 6.2 + chin],
        ];
        let rings = (0..RINGS)
            .map(|i| {
                let y = up - (up + down) * i as f32 / (RINGS - 1) as f32;
                let [half_width, front, back] = [1, 2, 3].map(|k| between(&knots, k, y));
                let share = mix(0.42, 0.30, step(0.0, -0.6 * down, y));
                Ring { half_width: half_width.max(0.0), front, back, widest: back + share * (front - back) }
            })
            .collect();
        Head { look, rings }
    }

    /// The angle round the head (0 front, positive to the picture's right) at `u` in 0..1.
    pub fn angle(u: f32) -> f32 {
        let t = 2.0 * u - 1.0;
        PI * (0.55 * t + 0.45 * t * t * t)
    }

    /// The height at `v` in 0..1, from the crown to below the chin.
    pub fn height(&self, v: f32) -> f32 {
        let [up, down] = self.look.heights;
        if v < 0.25 {
            up - (up - 3.0) * (v / 0.25).powf(1.6)
        } else {
            let t = (v - 0.25) / 0.75;
            mix(3.0, -down, 1.0 - (1.0 - t).powf(1.2))
        }
    }

    /// The ring surface without relief.
    pub fn base(&self, angle: f32, y: f32) -> V3 {
        let [up, down] = self.look.heights;
        let at = ((up - y) / (up + down) * (RINGS - 1) as f32).clamp(0.0, (RINGS - 1) as f32 - 0.001);
        let (i, f) = (at as usize, at.fract());
        let (a, b) = (self.rings[i], self.rings[i + 1]);
        let half_width = mix(a.half_width, b.half_width, f);
        let widest = mix(a.widest, b.widest, f);
        let s = angle.sin();
        let n = if angle.cos() > 0.0 { mix(2.0, self.look.flatness, step(8.0, 4.0, y)) } else { 2.0 };
        let reach = (1.0 - s.abs().powf(n)).max(0.0).powf(1.0 / n);
        let z = if angle.cos() > 0.0 {
            widest + (mix(a.front, b.front, f) - widest) * reach
        } else {
            widest - (widest - mix(a.back, b.back, f)) * reach
        };
        [half_width * s, y, z]
    }

    /// The surface with relief and beard.
    pub fn point(&self, angle: f32, y: f32) -> V3 {
        let mut p = self.base(angle, y);
        let front = step(0.05, 0.4, angle.cos());
        if front > 0.0 {
            p[2] += front * self.relief(p[0], y);
        }
        let beard = self.beard(p[0], y, angle);
        if beard > 0.0 {
            let depth = match self.look.beard {
                BeardCut::Full => 0.7,
                BeardCut::Long => 1.3,
                BeardCut::Goatee | BeardCut::Moustache => 0.45,
                _ => 0.0,
            } * beard
                * (1.0 + 0.4 * rough(self.look.grain ^ 77, 1.5 * p[0], 1.5 * y));
            p[0] += depth * angle.sin() * 0.6;
            p[2] += depth * angle.cos().max(0.0) * 0.8;
            let chin = step(-7.5, -10.5, y) * bell(p[0] / 4.0);
            p[1] -= depth * chin * if self.look.beard == BeardCut::Long { 2.4 } else { 0.9 };
        }
        p
    }

    /// Where the surface is crossed by the line x, y = const in front: the point of a landmark.
    pub fn front_point(&self, x: f32, y: f32) -> V3 {
        let mut low = -PI / 2.0;
        let mut high = PI / 2.0;
        for _ in 0..24 {
            let mid = 0.5 * (low + high);
            if self.base(mid, y)[0] < x { low = mid } else { high = mid }
        }
        let p = self.base(low, y);
        [x, y, p[2] + step(0.05, 0.4, low.cos()) * self.relief(x, y)]
    }

    /// Height of the mouth.
    pub fn mouth_y(&self) -> f32 {
        -self.look.nose[0] - self.look.mouth[0]
    }

    /// How far features stand out (+) or lie in (-) at a place of the face.
    fn relief(&self, x: f32, y: f32) -> f32 {
        let l = self.look;
        let ax = x.abs();
        let [length, width, tip, bridge, hump, turn] = l.nose;
        let [ex, socket] = l.eye_place;
        let my = self.mouth_y();
        let mut z = 0.0;
        // brows, sockets, eyeballs
        z += l.brow_ridge * 0.75 * bell((y - 1.5) / 0.9) * bell((ax - 2.6) / 2.4);
        z -= (0.55 + socket) * bell((ax - ex + 0.15) / 1.75) * bell((y - 0.05) / 1.15);
        z += 0.42 * bell((ax - ex) / 1.15) * bell(y / 0.8);
        // nose
        let t = ((0.5 - y) / (length + 0.5)).clamp(-0.4, 1.3);
        let down = step(-0.15, 0.25, t);
        let rise = mix(0.15 + bridge, tip, t.clamp(0.0, 1.0).powf(1.15)) + hump * bell((t - 0.45) / 0.25);
        let under = step(1.08 + 0.06 * turn, 0.93 + 0.08 * turn, t);
        let sigma = mix(0.62, 0.95 * width, t.clamp(0.0, 1.0));
        z += down * under * rise * bell(x / sigma * 0.8);
        z += 0.35 * under * bell(x / (0.75 * width)) * bell((y + length - 0.45) / 0.65);
        z += 0.95 * bell((ax - 1.3 * width) / (0.5 * width)) * bell((y + length - 0.35) / 0.55);
        // lips and the dip between them
        let [_, half, upper, lower, curve, full] = l.mouth;
        let m = ax / half;
        let line = my + curve * m * m;
        let span = step(1.15, 0.45, m);
        z += full * span * (0.45 * bell((y - line - 0.45 * upper) / (0.55 * upper + 0.1)));
        z += full * span * (0.55 * bell((y - line + 0.5 * lower) / (0.55 * lower + 0.1)));
        z -= 0.22 * step(1.1, 0.8, m) * bell((y - line) / 0.16);
        z -= 0.35 * bell((y - my + lower + 0.75) / 0.5) * bell(x / 2.0);
        z += 0.35 * bell((y - my - 0.2) / 2.2) * bell(x / 3.4);
        // cheeks and chin
        let [_, chin, bone, full_cheek] = l.profile;
        z += (0.25 + bone) * bell((ax - 4.5) / 1.7) * bell((y + 2.2) / 1.5);
        z += full_cheek * bell((ax - 4.4) / 2.0) * bell((y + 5.4) / 2.2);
        z += (0.35 + 0.5 * chin) * bell(x / 1.9) * bell((y + l.heights[1] - 1.6) / 1.2);
        // fold from nose to mouth
        let fold = mix(1.45 * width, half + 0.5, ((-length - y) / (-length - my)).clamp(-0.2, 1.2));
        z -= (0.08 + 0.28 * l.age) * bell((ax - fold - 0.25) / 0.35) * bell((y - 0.5 * (my - length)) / 1.7);
        for b in &l.bumps {
            let dx = if b.one_sided { x - b.x } else { ax - b.x };
            z += b.height * bell(dx / b.size) * bell((y - b.y) / b.size);
        }
        z
    }

    /// Share of beard at a place, 0..1.
    pub fn beard(&self, x: f32, y: f32, angle: f32) -> f32 {
        let l = self.look;
        if l.beard == BeardCut::None || angle.cos() < -0.35 {
            return 0.0;
        }
        let (ax, my) = (x.abs(), self.mouth_y());
        let [_, half, upper, lower, curve, _] = l.mouth;
        let m = ax / half;
        let line = my + curve * m * m;
        let lips = step(1.12, 0.95, m)
            * step(upper + 0.12, upper - 0.08, y - line)
            * step(lower + 0.12, lower - 0.08, line - y);
        let moustache = step(half + 1.0, half + 0.3, ax)
            * step(-l.nose[0] - 0.2, -l.nose[0] - 0.7, y)
            * step(line - 0.7, line - 0.1, y + 0.9 * step(0.8, 1.3, m));
        let chin = step(2.9, 2.2, ax) * step(my - 0.6, my - 1.2, y);
        let round = step(1.25, 1.0, ((ax - 0.0) / (half + 0.7)).hypot((y - my + 1.0) / 2.8))
            * step(0.2, -0.3, y - line);
        // A line from the sideburn to the corner of the mouth.
        let cheek_line = mix(my + 0.9, -1.4, step(half + 0.2, 7.0, ax).powf(1.4));
        let full = step(cheek_line + 0.3, cheek_line - 0.5, y) * step(-0.2, 0.1, angle.cos());
        let share = match l.beard {
            BeardCut::None => 0.0,
            BeardCut::Moustache => moustache,
            BeardCut::Goatee => moustache.max(chin).max(round),
            BeardCut::Stubble | BeardCut::Full | BeardCut::Long => moustache.max(full),
        };
        share * (1.0 - lips)
    }
}

/// The value of column `k` at height `y`, smooth through the knots (heights falling).
fn between(knots: &[[f32; 4]], k: usize, y: f32) -> f32 {
    let mut i = 0;
    while i + 2 < knots.len() && knots[i + 1][0] > y {
        i += 1;
    }
    let at = |j: isize| knots[j.clamp(0, knots.len() as isize - 1) as usize];
    let (p0, p1, p2, p3) = (at(i as isize - 1), at(i as isize), at(i as isize + 1), at(i as isize + 2));
    let h = p2[0] - p1[0];
    let t = ((y - p1[0]) / h).clamp(0.0, 1.0);
    let slope =
        |a: [f32; 4], b: [f32; 4]| if a[0] == b[0] { None } else { Some((b[k] - a[k]) / (b[0] - a[0])) };
    let own = (p2[k] - p1[k]) / h;
    // Limited slopes, so that the curve never overshoots its knots.
    let ease = |s: Option<f32>| match s {
        Some(s) if s * own > 0.0 => {
            let mean = 0.5 * (s + own);
            mean.clamp(-3.0 * own.abs().min(s.abs()), 3.0 * own.abs().min(s.abs()))
        }
        Some(_) => 0.0,
        None => own,
    };
    let (m1, m2) = (ease(slope(p0, p1)), ease(slope(p2, p3)));
    let (t2, t3) = (t * t, t * t * t);
    (2.0 * t3 - 3.0 * t2 + 1.0) * p1[k]
        + (t3 - 2.0 * t2 + t) * h * m1
        + (3.0 * t2 - 2.0 * t3) * p2[k]
        + (t3 - t2) * h * m2
}
