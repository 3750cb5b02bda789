//! The paint of a face: skin with blotches and shade, eyes, brows, lips, nostrils, folds, stubble.
//! Everything is placed in the plane of the face as seen from the front, in centimetres.

use super::draw::{bell, blend, mix, noise, rough, scale, step};
use super::hair;
use super::head::Head;
use super::look::{BeardCut, Colour};
use super::raster::{Lids, Texture};

const WIDTH: usize = 320;
const HEIGHT: usize = 288;

/// Paints `head`, with eyes open, and the closed lids.
pub fn paint(head: &Head<'_>) -> (Texture, Lids) {
    let texture = Texture::paint(WIDTH, HEIGHT, |u, v| {
        let (angle, y) = (Head::angle(u), head.height(v));
        opaque(colour(head, angle, y, false))
    });
    let reach = head.look.eye_place[0] + head.look.eye_shape[0] + 0.5;
    let side = |x: f32| {
        let mut best = 0.5;
        for i in 0..=200 {
            let u = 0.5 + 0.25 * i as f32 / 200.0;
            if head.base(Head::angle(u), 0.0)[0] < x {
                best = u;
            }
        }
        best
    };
    let right = side(reach);
    let rows = |y: f32| (0..=400).map(|i| i as f32 / 400.0).find(|&v| head.height(v) <= y).unwrap_or(1.0);
    let area = [1.0 - right, rows(1.1), right, rows(-0.9)];
    let lids = Texture::paint(176, 40, |u, v| {
        let angle = Head::angle(mix(area[0], area[2], u));
        let y = head.height(mix(area[1], area[3], v));
        let c = colour(head, angle, y, true);
        let (t, upper, lower, local) = eye(head, head.base(angle, y)[0], y);
        let order =
            if t.abs() < 1.0 { ((upper - local) / (upper - lower).max(0.05)).clamp(0.25, 0.92) } else { 0.3 };
        [c[0], c[1], c[2], order]
    });
    (texture, Lids { area, texture: lids })
}

fn opaque(c: Colour) -> [f32; 4] {
    [c[0], c[1], c[2], 1.0]
}

/// Place along the eye (-1 inner corner, 1 outer), upper and lower edge there, own height.
fn eye(head: &Head<'_>, x: f32, y: f32) -> (f32, f32, f32, f32) {
    let [half, up, low, tilt, _] = head.look.eye_shape;
    let dx = x.abs() - head.look.eye_place[0];
    let t = dx / half;
    let c = (1.0 - t * t).max(0.0);
    (t, up * c.powf(0.7) * (1.0 - 0.12 * t), -low * c.powf(0.85) * (1.0 + 0.12 * t), y - tilt * dx)
}

fn colour(head: &Head<'_>, angle: f32, y: f32, closed: bool) -> Colour {
    let l = head.look;
    let x = head.base(angle, y)[0];
    let front = step(0.0, 0.35, angle.cos());
    let mut c = skin(head, x, y);
    let cover = hair::cover(l, angle, y);
    if front > 0.0 {
        c = blend(c, features(head, x, y, c, closed), front);
    }
    let beard = head.beard(x, y, angle);
    if beard > 0.0 {
        let hairs = 0.5 + 0.5 * noise(l.grain ^ 5, 9.0 * x, 5.0 * y);
        let (density, ragged) = match l.beard {
            BeardCut::Stubble => (0.5, 0.25),
            _ => (0.93, 0.35),
        };
        let share = step(0.15, 0.75, beard + ragged * (hairs - 0.5)) * density * (0.75 + 0.25 * hairs);
        let shade = 0.75 + 0.5 * noise(l.grain ^ 6, 7.0 * x, 2.5 * y).abs();
        c = blend(c, scale(l.brow_colour, shade), share);
    }
    // hair that lies flat, and its shade on the skin
    if cover > -1.4 && l.hat.is_none() {
        let thick = if hair::is_thin(l) { 0.55 + 0.25 * noise(l.grain ^ 9, 6.0 * x, 6.0 * y) } else { 0.95 };
        c = scale(c, 1.0 - 0.22 * step(-1.3, 0.0, cover));
        c = blend(c, scale(l.hair, 0.8), thick * step(0.0, 0.7, cover) * hair::hugs(l, angle, y));
    }
    c
}

fn skin(head: &Head<'_>, x: f32, y: f32) -> Colour {
    let l = head.look;
    let g = l.grain;
    let ax = x.abs();
    let length = l.nose[0];
    let [flush, rings, _] = l.complexion;
    let mut k = 1.0 + 0.045 * rough(g, 0.45 * x, 0.45 * y) + 0.035 * rough(g ^ 1, 1.6 * x, 1.6 * y);
    for b in &l.bumps {
        let dx = if b.one_sided { x - b.x } else { ax - b.x };
        k += b.tint * bell(dx / b.size) * bell((y - b.y) / b.size);
    }
    let mut c = scale(l.skin, k);
    let pale = step(0.25, 0.75, l.skin[1]);
    let warm = [c[0] * 1.01, c[1] * mix(0.93, 0.84, pale), c[2] * mix(0.94, 0.83, pale)];
    let red = bell((ax - 4.2) / 1.9) * bell((y + 3.4) / 1.9) + 0.9 * bell(x / 1.2) * bell((y + length) / 1.1);
    c = blend(c, warm, (0.15 + 0.7 * flush) * red.min(1.0));
    // rings under the eyes, and the corners beside the nose
    let ring = bell((ax - l.eye_place[0] + 0.35) / 1.2) * bell((y + 1.05) / 0.45);
    c = blend(c, [c[0] * 0.72, c[1] * 0.64, c[2] * 0.68], rings * ring);
    c = scale(c, 1.0 - 0.2 * bell((ax - 1.35) / 0.7) * bell((y - 0.2) / 0.9));
    if l.freckles > 0.0 {
        let dots = noise(g ^ 31, 4.2 * x, 4.2 * y);
        let where_ = bell(x / 5.0) * bell((y + 2.6) / 2.6);
        c = blend(c, [c[0] * 0.74, c[1] * 0.60, c[2] * 0.50], l.freckles * where_ * step(0.35, 0.6, dots));
    }
    for m in &l.moles {
        let d = (x - m[0]).hypot(y - m[1]) / m[2];
        c = blend(c, [0.22, 0.13, 0.10], 0.85 * step(1.25, 0.7, d));
    }
    // folds of age
    if l.age > 0.25 {
        let a = l.age - 0.2;
        let wave = 0.18 * noise(g ^ 41, 0.6 * x, 0.0);
        let lines = [3.2, 4.1, 5.0].iter().map(|h| bell((y - h - wave) / 0.1)).sum::<f32>();
        c = scale(c, 1.0 - 0.30 * a * lines * bell(x / 4.2));
        let crow = [0.5f32, 0.0, -0.5];
        let out = ax - l.eye_place[0] - l.eye_shape[0] - 0.25;
        let feet: f32 = crow.iter().map(|s| bell((y - s * (0.5 + out)) / 0.09)).sum();
        c = scale(c, 1.0 - 0.28 * a * feet * step(-0.1, 0.2, out) * step(1.4, 0.8, out));
        c = scale(c, 1.0 - 0.25 * a * bell((ax - l.eye_place[0]) / 1.3) * bell((y + 1.35 + 0.1 * ax) / 0.14));
    }
    c
}

/// Brows, eyes, nostrils, folds and lips over the skin colour `c`.
fn features(head: &Head<'_>, x: f32, y: f32, c: Colour, closed: bool) -> Colour {
    let l = head.look;
    let g = l.grain;
    let ax = x.abs();
    let mut c = c;
    let [length, width, _, _, _, turn] = l.nose;
    let my = head.mouth_y();
    // shade of the sockets and of the nose
    let [half, _, _, _, crease] = l.eye_shape;
    let (t, upper, lower, local) = eye(head, x, y);
    c = scale(c, 1.0 - 0.22 * bell((ax - l.eye_place[0]) / 1.7) * bell((local - 0.75) / 0.5));
    c = scale(c, 1.0 - 0.35 * bell(x / (1.5 * width)) * bell((y + length + 0.45) / 0.3));
    let wing = (ax - 1.3 * width).hypot(y + length - 0.35);
    c = scale(c, 1.0 - 0.38 * bell((wing - 0.72) / 0.13) * step(1.2 * width, 1.5 * width, ax));
    let hole = ((ax - 0.72 * width) / (0.42 * width)).hypot((y + length + 0.12 - 0.1 * turn) / 0.2);
    c = blend(c, [0.13, 0.06, 0.05], 0.85 * step(1.2, 0.6, hole));
    let [_, mouth, upper_lip, lower_lip, curve, _] = l.mouth;
    let fold = mix(1.5 * width, mouth + 0.45, ((-length - y) / (-length - my)).clamp(-0.2, 1.2));
    let reach = step(my - 0.8, my + 0.3, y) * step(-length + 0.8, -length - 0.2, y);
    c = scale(c, 1.0 - (0.06 + 0.26 * l.age) * bell((ax - fold - 0.2) / 0.16) * reach);
    c = scale(c, 1.0 - 0.16 * bell((y - my + lower_lip + 0.45) / 0.28) * bell(x / 1.7));
    c = scale(
        c,
        1.0 - 0.08
            * bell((ax - 0.0) / 0.3)
            * step(my + upper_lip, my + upper_lip + 0.5, y)
            * step(-length, -length - 0.4, y),
    );
    // lips
    let m = ax / mouth;
    if m < 1.25 {
        let line = my + curve * m * m + 0.03 * noise(g ^ 3, 2.0 * x, 0.0);
        let body = (1.0 - m * m).max(0.0);
        let bow = upper_lip * (body.powf(0.75) - 0.2 * bell(x / 0.45));
        let low = lower_lip * body.powf(0.6);
        let over = step(bow + 0.09, bow - 0.09, y - line)
            * step(low + 0.1, low - 0.1, line - y)
            * step(1.02, 0.9, m);
        let creases = 1.0 + 0.08 * noise(g ^ 4, 5.0 * x, 0.7 * y);
        let tone = if y > line { 0.86 } else { 1.0 };
        c = blend(c, scale(l.lips, tone * creases), 0.9 * over);
        let dark = bell((y - line) / 0.11) * step(1.08, 0.9, m);
        c = blend(c, [0.20, 0.08, 0.08], 0.8 * dark);
        c = scale(c, 1.0 - 0.25 * bell((m - 1.04) / 0.09) * bell((y - line) / 0.3));
    }
    // brows
    let [height, thick, arch, tilt, long, density, gap] = l.brows;
    let inner = l.eye_place[0] - 2.0 + 0.5 * gap;
    let s = (ax - inner) / long.max(0.5) / 1.35;
    if (-0.15..1.15).contains(&s) {
        let spine = height + arch * (1.0 - ((s - 0.62) / 0.62).powi(2)) + tilt * (ax - l.eye_place[0]);
        let body = thick * step(-0.1, 0.18, s) * (1.0 - 0.62 * step(0.45, 1.08, s)) * step(1.12, 0.95, s);
        let hairs = noise(g ^ 8, 6.0 * x + 5.0 * (y - spine) * x.signum(), 2.2 * y);
        let edge = (y - spine).abs() / (body.max(0.02)) + 0.30 * hairs;
        c = blend(
            c,
            scale(l.brow_colour, 0.85 + 0.3 * hairs),
            density * step(1.15, 0.55, edge) * step(0.03, 0.12, body),
        );
    }
    // eyes
    if t.abs() < 1.35 {
        c = eye_colour(head, x, y, c, [t, upper, lower, local, half, crease], closed);
    }
    c
}

fn eye_colour(head: &Head<'_>, x: f32, y: f32, c: Colour, at: [f32; 6], closed: bool) -> Colour {
    let l = head.look;
    let [t, upper, lower, local, _, crease] = at;
    let mut c = c;
    let within = step(1.18, 0.95, t.abs());
    let (upper, lower) = if closed { (lower + 0.05, lower) } else { (upper, lower) };
    if crease > 0.0 {
        let fold = at[1] + crease * (1.0 - 0.35 * t * t);
        c = scale(c, 1.0 - if closed { 0.15 } else { 0.38 } * bell((local - fold) / 0.11) * within);
    }
    let open = step(lower - 0.05, lower + 0.06, local) * step(upper + 0.05, upper - 0.05, local);
    if !closed && t.abs() < 1.02 && open > 0.0 {
        let dx = x.abs() - l.eye_place[0];
        let r = dx.hypot(local - 0.06);
        let radius = 0.60;
        let mut e = scale([0.90, 0.88, 0.87], 1.0 - 0.28 * t * t);
        e = blend(e, [0.80, 0.52, 0.48], step(-0.78, -1.0, t));
        let spokes = 1.0 + 0.18 * noise(l.grain ^ 12, 9.0 * (local - 0.06).atan2(dx), 0.0);
        let iris = scale(l.iris, spokes * mix(1.15, 0.6, step(0.75, 1.0, r / radius)));
        e = blend(e, iris, step(radius + 0.04, radius - 0.06, r));
        e = blend(e, [0.03, 0.03, 0.03], step(0.27, 0.20, r));
        let glint = (x - x.signum() * l.eye_place[0] + 0.18).hypot(local - 0.28);
        e = blend(e, [1.0, 1.0, 1.0], 0.85 * step(0.15, 0.06, glint));
        e = scale(e, 1.0 - 0.45 * bell((upper - local) / 0.22));
        c = blend(c, e, open);
    }
    // lash lines and rims
    let lash = l.lashes * within;
    let heavy = 0.09 + 0.07 * l.lashes;
    c = blend(c, [0.06, 0.045, 0.04], lash * bell((local - upper - 0.03) / heavy) * step(-1.15, -0.7, t));
    c = blend(c, [0.25, 0.14, 0.12], 0.45 * lash * bell((local - lower + 0.02) / 0.07));
    let _ = y;
    c
}
