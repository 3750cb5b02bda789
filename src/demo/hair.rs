//! Hair: a shell over the head with ragged edges. [`cover`] says where hair grows; the shell, its
//! holes and the shade painted on the skin all ask it, so that they agree.

use super::draw::{mix, noise, rough, scale, step};
use super::head::Head;
use super::look::{Cut, Hat, ShopperLook};
use super::raster::{Mesh, Texture, V3};

/// Hair so short that the skin shows through.
pub fn is_thin(look: &ShopperLook) -> bool {
    matches!(look.cut, Cut::Buzz | Cut::Receding)
}

fn falls(cut: Cut) -> bool {
    matches!(cut, Cut::Bob | Cut::BobFringe | Cut::Long | Cut::LongFringe)
}

fn has_fringe(cut: Cut) -> bool {
    matches!(cut, Cut::Fringe | Cut::BobFringe | Cut::LongFringe)
}

/// Whether the hair lies on the head here (1) or hangs free of it (0).
pub fn hugs(look: &ShopperLook, angle: f32, y: f32) -> f32 {
    if falls(look.cut) { step(-2.0, 0.0, y).max(step(100.0, 120.0, angle.abs().to_degrees())) } else { 1.0 }
}

/// Whether the hair hangs over the ears.
pub fn hides_ears(look: &ShopperLook) -> bool {
    falls(look.cut)
}

/// Lowest point of the hair.
fn bottom(look: &ShopperLook) -> f32 {
    match look.cut {
        Cut::Bob | Cut::BobFringe => -8.5 - 1.5 * look.hair_shape[3],
        Cut::Long | Cut::LongFringe => -15.0 - 6.0 * look.hair_shape[2].min(1.0),
        _ => -7.0,
    }
}

/// How far inside the hair (centimetres, negative outside) a place of the head lies.
pub fn cover(look: &ShopperLook, angle: f32, y: f32) -> f32 {
    if look.cut == Cut::Bald {
        return -9.0;
    }
    let a = angle.abs().to_degrees();
    let line = look.hair_shape[0];
    let fringe = look.brows[0] + 0.75 + 0.5 * look.hair_shape[3];
    let open = mix(58.0, 72.0, look.hair_shape[4].abs());
    let knots: [[f32; 2]; 7] = if look.cut == Cut::Receding {
        [
            [0.0, line + 3.2],
            [28.0, line + 3.4],
            [48.0, line + 1.5],
            [70.0, 2.2],
            [80.0, 0.0],
            [98.0, 1.2],
            [130.0, -6.5],
        ]
    } else if look.cut == Cut::Afro {
        [
            [0.0, line],
            [30.0, line - 0.1],
            [55.0, line - 1.3],
            [68.0, 2.2],
            [80.0, -0.5],
            [98.0, 0.5],
            [130.0, -7.0],
        ]
    } else if falls(look.cut) {
        let front = if has_fringe(look.cut) { fringe } else { line };
        let low = bottom(look);
        let temple = if has_fringe(look.cut) { fringe - 0.1 } else { line - 1.6 };
        [
            [0.0, front],
            [35.0, front - 0.1],
            [open - 12.0, temple],
            [open, -3.0],
            [open + 6.0, low],
            [120.0, low],
            [180.0, low],
        ]
    } else {
        let front = if has_fringe(look.cut) { fringe } else { line };
        let temple = if has_fringe(look.cut) { fringe + 0.4 } else { line - 1.5 };
        let burn = if look.cut == Cut::Bun { 1.0 } else { -1.2 - look.hair_shape[3] };
        [
            [0.0, front - 0.1],
            [33.0, front],
            [56.0, temple],
            [68.0, 2.0],
            [79.0, burn],
            [97.0, 1.4],
            [130.0, -6.8],
        ]
    };
    let part = look.hair_shape[4];
    let swing = if falls(look.cut) || look.cut == Cut::SidePart {
        // the hairline rises on the side of the parting
        0.9 * part * step(0.0, 40.0, a) * step(70.0, 45.0, a) * angle.signum()
    } else {
        0.0
    };
    let mut i = 0;
    while i + 2 < knots.len() && knots[i + 1][0] < a {
        i += 1;
    }
    let t = ((a - knots[i][0]) / (knots[i + 1][0] - knots[i][0])).clamp(0.0, 1.0);
    y - mix(knots[i][1], knots[i + 1][1], t) - swing
}

/// A part of the hair or of what covers it.
pub struct Shell {
    /// Shape.
    pub mesh: Mesh,
    /// Colours, with holes where the shell ends.
    pub texture: Texture,
}

/// The hair of `head`; `None` for a bald head or under a hat that hides it.
pub fn shell(head: &Head<'_>) -> Option<Shell> {
    let l = head.look;
    if l.cut == Cut::Bald || (l.hat.is_some() && !falls(l.cut)) {
        return None;
    }
    let low = if falls(l.cut) { bottom(l) } else { -7.5 };
    let up = l.heights[0];
    let height = move |v: f32| up - (up - low) * v.powf(1.25);
    let mesh = Mesh::grid(58, 76, true, |u, v| outside(head, angle(u), height(v), low));
    let g = l.grain;
    let wave = l.hair_shape[3];
    let hatted = l.hat.is_some();
    let texture = Texture::paint(288, 160, |u, v| {
        let (a, y) = (angle(u), height(v));
        let inside = cover(l, a, y);
        let bend = wave * 0.10 * (1.1 * y + 3.0 * noise(g, 2.0 * a, 0.3 * y)).sin();
        let strand = noise(g ^ 21, 26.0 * (a + bend), 0.28 * y);
        let fine = noise(g ^ 22, 70.0 * (a + bend), 0.5 * y);
        let curls = rough(g ^ 23, 9.0 * a, 1.3 * y);
        let grain = if l.cut == Cut::Afro { 0.28 * curls } else { 0.20 * strand + 0.14 * fine };
        let sheen =
            0.14 * step(0.35, 1.0, ((y - 0.66 * up) / 1.9).cos() * step(6.0, 2.5, (y - 0.66 * up).abs()));
        let root = 1.0 - 0.3 * step(0.8, 0.0, inside) - 0.25 * step(0.0, -9.0, y);
        let c = scale(l.hair, (1.0 + grain + sheen) * root);
        let ragged = inside + 0.45 * strand + 0.3 * fine - if is_thin(l) { 0.4 } else { 0.15 };
        let end = y - low + 1.2 * strand + 0.6 * fine - 0.5;
        let hidden = hatted && y > 1.5;
        let solid = ragged > 0.0 && (!falls(l.cut) || end > 0.0) && !hidden;
        [c[0], c[1], c[2], if solid { 1.0 } else { 0.0 }]
    });
    Some(Shell { mesh, texture })
}

fn angle(u: f32) -> f32 {
    let t = 2.0 * u - 1.0;
    std::f32::consts::PI * (0.75 * t + 0.25 * t * t * t)
}

fn outside(head: &Head<'_>, angle: f32, y: f32, low: f32) -> V3 {
    let l = head.look;
    let [_, above, beside, wave, part] = l.hair_shape;
    let a = angle.abs().to_degrees();
    let inside = cover(l, angle, y);
    let taper = if has_fringe(l.cut) && a < 60.0 { 0.7 } else { step(-0.5, 2.4, inside) };
    let crown = step(2.0, 8.0, y);
    let (top, side) = match l.cut {
        Cut::Buzz | Cut::Receding => (0.1, 0.1),
        Cut::Bun => (0.25, 0.15),
        Cut::Afro => (1.6 + above, 1.4 + beside),
        Cut::SidePart => (0.5 + above * (1.0 + 0.5 * part * angle.sin()), 0.35 + 0.25 * beside),
        Cut::Short | Cut::Fringe => (0.3 + 0.8 * above, 0.3 + 0.3 * beside),
        _ => (0.5 + 0.5 * above, 0.5 + beside),
    };
    let mut lift = 0.22 + taper * mix(side, top, crown);
    lift += taper
        * match l.cut {
            Cut::Afro => 0.5 * rough(l.grain ^ 2, 3.0 * angle, 0.5 * y),
            Cut::Buzz | Cut::Receding | Cut::Bun => 0.0,
            _ => (0.12 + 0.3 * wave) * noise(l.grain ^ 2, 4.0 * angle, 0.45 * y + 2.0 * wave * angle),
        };
    let floor = if falls(l.cut) { -2.5 } else { -7.4 };
    let mut p = head.base(angle, y.max(floor));
    if falls(l.cut) && y < floor {
        // below the cheekbones the hair hangs straight
        let t = ((floor - y) / (floor - low)).clamp(0.0, 1.0);
        let wide = 1.0 + 0.06 * t - if low > -11.0 { 0.16 * t * t } else { 0.0 };
        p[0] *= wide;
        p[2] = if p[2] > 0.0 { p[2] * (1.0 - 0.25 * t) } else { p[2] * (1.0 - 0.12 * t) };
        p[0] += wave * 0.5 * t * (1.4 * y + 5.0 * angle).sin();
    }
    let (s, c) = angle.sin_cos();
    let flat = (1.0 - ((y - 2.0) / (l.heights[0] - 2.0)).clamp(0.0, 1.0).powi(2)).sqrt();
    [p[0] + lift * s * flat.max(0.2), y + lift * (1.0 - flat) * 0.95, p[2] + lift * c * flat.max(0.2)]
}

/// A bun at the back of the crown.
pub fn bun(look: &ShopperLook) -> Option<Shell> {
    if look.cut != Cut::Bun || look.hat.is_some() {
        return None;
    }
    let size = 2.4 + 0.6 * look.hair_shape[1];
    let centre =
        [0.0, look.heights[0] * mix(0.55, 1.02, look.hair_shape[3]), mix(-9.5, -4.0, look.hair_shape[3])];
    let g = look.grain;
    let mesh = Mesh::grid(14, 22, true, |u, v| {
        let (a, b) = (std::f32::consts::TAU * (u - 0.5), std::f32::consts::PI * v);
        [
            centre[0] + size * b.sin() * a.sin(),
            centre[1] + 0.85 * size * b.cos(),
            centre[2] + size * b.sin() * a.cos(),
        ]
    });
    let texture = Texture::paint(64, 32, |u, v| {
        let c = scale(look.hair, 0.95 + 0.3 * noise(g ^ 24, 5.0 * u, 18.0 * v + 6.0 * u));
        [c[0], c[1], c[2], 1.0]
    });
    Some(Shell { mesh, texture })
}

/// A hat, if worn.
pub fn hat(head: &Head<'_>) -> Vec<Shell> {
    let l = head.look;
    let (colour, knitted) = match &l.hat {
        None => return Vec::new(),
        Some(Hat::Beanie(c)) => (*c, true),
        Some(Hat::Cap(c)) => (*c, false),
    };
    let up = l.heights[0];
    let rim = l.brows[0] + if knitted { 1.8 } else { 2.2 };
    let height = move |v: f32| up - (up - rim) * v.powf(1.4);
    let mesh = Mesh::grid(26, 56, true, |u, v| {
        let (a, y) = (angle(u), height(v));
        let p = head.base(a, y);
        let fold = if knitted { 0.35 * step(0.72, 0.76, v) } else { 0.0 };
        let lift = 0.75 + fold + if knitted { 0.9 * step(1.0, 0.2, v) } else { 0.8 * step(1.0, 0.6, v) };
        let flat = (1.0 - ((y - 2.0) / (up - 2.0)).clamp(0.0, 1.0).powi(2)).sqrt();
        [
            p[0] + lift * a.sin() * flat.max(0.3),
            y + lift * (1.0 - flat),
            p[2] + lift * a.cos() * flat.max(0.3),
        ]
    });
    let texture = Texture::paint(224, 64, |u, v| {
        let seams = if knitted {
            0.18 * (angle(u) * 60.0).sin()
        } else {
            -0.3 * step(0.96, 1.0, (angle(u) * 3.0).cos())
        };
        let c = scale(colour, 0.9 + seams + if knitted && (0.70..0.74).contains(&v) { -0.3 } else { 0.0 });
        [c[0], c[1], c[2], 1.0]
    });
    let mut shells = vec![Shell { mesh, texture }];
    if !knitted {
        let visor = Mesh::grid(8, 24, false, |u, v| {
            let a = mix(-1.15, 1.15, u);
            let p = head.base(a, rim + 0.2);
            let out = 0.7 + 5.2 * v * a.cos().max(0.0).powf(0.7);
            [
                p[0] + 0.25 * out * a.sin(),
                rim + 0.3 - 0.9 * v * v - 0.5 * (a * a) * v,
                p[2] + out * a.cos() + 0.3,
            ]
        });
        shells.push(Shell { mesh: visor, texture: Texture::plain(scale(colour, 0.8)) });
    }
    shells
}
