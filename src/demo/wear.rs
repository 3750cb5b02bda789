//! Ears, neck, glasses and clothes: what a camera sees of a shopper besides face and hair.

use super::draw::{Draw, Realm, bell, blend, noise, scale, step};
use super::hair::Shell;
use super::look::{Colour, Glasses, ShopperLook, cloth};
use super::raster::{Mesh, Texture};
use std::f32::consts::{PI, TAU};

/// The two ears.
pub fn ears(look: &ShopperLook) -> [Shell; 2] {
    let [size, out] = look.ears;
    let lean = 0.25 + 0.45 * out;
    let place = look.half_widths[1] - 0.25;
    let skin = [look.skin[0], look.skin[1] * 0.93, look.skin[2] * 0.92];
    [-1.0f32, 1.0].map(|side| {
        let mesh = Mesh::grid(14, 16, true, |u, v| {
            let (a, b) = (TAU * (u - 0.5), PI * v);
            let (w, h) = (1.65 * size * b.sin(), 3.0 * size * b.cos());
            let lobe = 1.0 - 0.3 * step(0.5, 1.0, v);
            let (back, thick) = (w * lobe * a.cos(), 0.55 * b.sin().max(0.0).sqrt() * a.sin());
            [side * (place + lean * (1.2 - back) + 0.2 * h.abs() * 0.1) + thick, h - 1.4, back - 1.6]
        });
        let texture = Texture::paint(32, 32, |u, v| {
            let a = TAU * (u - 0.5);
            let bowl = bell((v - 0.52) / 0.22) * bell((a.cos() - 0.1) / 0.6);
            let c = scale(skin, 1.0 - 0.42 * bowl);
            [c[0], c[1], c[2], 1.0]
        });
        Shell { mesh, texture }
    })
}

/// The neck, and how far each vertex goes with the head (1) or the body (0), by its v.
pub fn neck(look: &ShopperLook) -> Shell {
    let wide = 0.74 * look.half_widths[2];
    let down = look.heights[1];
    let g = look.grain;
    let mesh = Mesh::grid(12, 36, true, |u, v| {
        let a = TAU * (u - 0.5);
        let y = -0.45 * down + (0.45 * down - 16.5) * v;
        let w = wide * (1.0 + 0.35 * step(0.65, 1.0, v));
        let z = -2.2 + 0.9 * (1.0 - v) + if a.cos() > 0.0 { 4.6 } else { 5.2 } * a.cos();
        [w * a.sin(), y, z]
    });
    let texture = Texture::paint(64, 32, |u, v| {
        let a = TAU * (u - 0.5);
        let shade = 0.52 + 0.42 * step(0.4, 0.95, v);
        let sinew = 1.0 - 0.12 * bell((a.abs() - 0.6) / 0.15) * step(0.4, 0.8, v);
        let c = scale(look.skin, shade * sinew * (1.0 + 0.04 * noise(g ^ 50, 6.0 * u, 6.0 * v)));
        [c[0], c[1] * 0.97, c[2] * 0.96, 1.0]
    });
    Shell { mesh, texture }
}

/// Frames before the eyes, temples back to the ears.
pub fn glasses(look: &ShopperLook) -> Option<Shell> {
    let g: &Glasses = look.glasses.as_ref()?;
    let ex = look.eye_place[0].max(g.half_width + 0.55);
    let front = 9.0 + 0.5 * look.nose[3].max(0.0) + 0.3 * look.brow_ridge;
    let mut mesh = Mesh::default();
    for side in [-1.0f32, 1.0] {
        let rim = |a: f32| {
            let (s, c) = a.sin_cos();
            let p = 2.0 / g.squareness;
            let x = ex + g.half_width * c.signum() * c.abs().powf(p);
            let y = -0.25 + g.half_height * s.signum() * s.abs().powf(p);
            [side * x, y, front - 0.03 * x * x]
        };
        join(&mut mesh, tube(44, g.rim, |t| rim(TAU * t)));
        let hinge =
            [side * (ex + g.half_width), 0.55 * g.half_height, front - 0.03 * (ex + g.half_width).powi(2)];
        let ear = [side * (look.half_widths[1] + 0.35), 0.8, -1.0];
        join(
            &mut mesh,
            tube(8, 0.8 * g.rim.max(0.2), |t| [0, 1, 2].map(|k| hinge[k] + t * (ear[k] - hinge[k]))),
        );
    }
    let inner = ex - g.half_width;
    join(
        &mut mesh,
        tube(8, g.rim, |t| [inner * (2.0 * t - 1.0), 0.25 + 0.25 * (PI * t).sin(), front + 0.05]),
    );
    Some(Shell { mesh, texture: Texture::plain(g.colour) })
}

fn tube(rows: usize, radius: f32, along: impl Fn(f32) -> [f32; 3]) -> Mesh {
    Mesh::grid(rows, 7, true, |u, v| {
        let (p, q) = (along(v), along((v + 0.01).min(1.0)));
        let r = along((v - 0.01).max(0.0));
        let d = super::raster::unit([q[0] - r[0], q[1] - r[1], q[2] - r[2]]);
        // Two directions across: one in the plane of the face, one towards the camera.
        let flat = super::raster::unit([-d[1], d[0], 0.0]);
        let side = if flat[0].abs() + flat[1].abs() < 1e-6 { [1.0, 0.0, 0.0] } else { flat };
        let up = [
            d[1] * side[2] - d[2] * side[1],
            d[2] * side[0] - d[0] * side[2],
            d[0] * side[1] - d[1] * side[0],
        ];
        let (s, c) = (TAU * u).sin_cos();
        [0, 1, 2].map(|k| p[k] + 0.8 * radius * (c * side[k] + s * up[k]))
    })
}

fn join(into: &mut Mesh, other: Mesh) {
    let start = into.vertices.len() as u32;
    into.vertices.extend(other.vertices);
    into.triangles.extend(other.triangles.iter().map(|t| t.map(|i| i + start)));
}

/// Body and arms in the clothes number `outfit`.
pub fn clothes(look: &ShopperLook, seed: u64, outfit: u64) -> Vec<Shell> {
    let d = &mut Draw::new(Realm::Outfit, seed ^ u64::from(look.grain), outfit);
    let (main, second) = (cloth(d), cloth(d));
    let kind = d.below(5);
    let stripes = if d.chance(0.3) { d.uniform(0.5, 1.6) } else { 0.0 };
    let grain = d.seed() as u32;
    let build = 0.86 + 0.04 * (look.half_widths[2] - 4.0);
    let skin = scale(look.skin, 0.92);
    let rows: [[f32; 4]; 10] = [
        [-13.2, 5.2, 3.0, -6.5],
        [-14.0, 7.4, 4.0, -7.4],
        [-15.2, 11.0, 5.0, -8.2],
        [-17.0, 15.6, 6.6, -8.8],
        [-19.6, 19.2, 8.4, -9.2],
        [-23.6, 20.8, 9.8, -9.4],
        [-29.0, 19.8, 10.6, -9.4],
        [-37.0, 18.0, 10.2, -9.0],
        [-46.0, 17.0, 9.8, -8.8],
        [-74.0, 18.5, 9.8, -9.4],
    ];
    let at = move |v: f32| {
        let t = v * 9.0;
        let i = (t as usize).min(8);
        let f = t - i as f32;
        [0, 1, 2, 3].map(|k| rows[i][k] + f * (rows[i + 1][k] - rows[i][k]))
    };
    let body = Mesh::grid(40, 52, true, |u, v| {
        let a = TAU * (u - 0.5);
        let [y, w, front, back] = at(v);
        let (s, c) = a.sin_cos();
        let reach = (1.0 - s.abs().powf(2.5)).max(0.0).powf(0.4);
        let z = -1.5 + reach * if c > 0.0 { front + 1.5 } else { back + 1.5 } * c.signum().abs();
        [build * w * s, y, z]
    });
    let texture = Texture::paint(160, 224, |u, v| {
        let a = TAU * (u - 0.5);
        let [y, w, _, _] = at(v);
        let x = build * w * a.sin();
        let front = a.cos() > 0.0;
        let c = fabric([x, y], front, kind, [main, second, skin], stripes, grain);
        [c[0], c[1], c[2], 1.0]
    });
    let mut shells = vec![Shell { mesh: body, texture }];
    let trousers = scale(cloth(d), 0.7);
    for side in [-1.0f32, 1.0] {
        let leg = Mesh::grid(8, 16, true, |u, v| {
            let a = TAU * (u - 0.5);
            let thick = 8.6 - 3.0 * v;
            [side * build * 8.4 + thick * a.sin(), -70.0 - 80.0 * v, -1.0 + thick * a.cos()]
        });
        let texture = Texture::paint(16, 48, |u, v| {
            let c = scale(trousers, 1.0 + 0.14 * noise(grain ^ 4, 3.0 * u, 16.0 * v));
            [c[0], c[1], c[2], 1.0]
        });
        shells.push(Shell { mesh: leg, texture });
    }
    for side in [-1.0f32, 1.0] {
        let arm = Mesh::grid(16, 18, true, |u, v| {
            let a = TAU * (u - 0.5);
            let y = -18.0 - 45.0 * v;
            let thick = 4.6 * step(0.0, 0.12, v).sqrt() - 1.1 * v;
            let x = side * build * (16.9 + 4.3 * step(0.0, 0.5, v));
            [x + thick * a.sin(), y, -2.0 + 2.0 * v + thick * a.cos()]
        });
        let texture = Texture::paint(32, 64, |u, v| {
            let folds = 1.0 + 0.16 * noise(grain ^ 3, 3.0 * u, 14.0 * v);
            let c = if kind == 4 { second } else { main };
            let c = scale(banded(c, second, stripes, -18.0 - 45.0 * v), 0.95 * folds);
            [c[0], c[1], c[2], 1.0]
        });
        shells.push(Shell { mesh: arm, texture });
        let hand = Mesh::grid(10, 12, true, |u, v| {
            let (a, b) = (TAU * (u - 0.5), PI * v);
            let x = side * (build * 21.2 - 0.8) + 2.6 * b.sin() * a.sin();
            [x, -65.5 + 5.2 * b.cos(), 0.8 + 2.9 * b.sin() * a.cos()]
        });
        shells.push(Shell { mesh: hand, texture: Texture::plain(skin) });
    }
    shells
}

fn banded(main: Colour, second: Colour, stripes: f32, y: f32) -> Colour {
    if stripes > 0.0 { blend(main, second, step(0.55, 0.65, (y / stripes).sin())) } else { main }
}

/// kind: 0 round neck, 1 V-neck, 2 shirt with collar, 3 hood, 4 open jacket.
fn fabric(at: [f32; 2], front: bool, kind: usize, colours: [Colour; 3], stripes: f32, grain: u32) -> Colour {
    let [x, y] = at;
    let [main, second, skin] = colours;
    let ax = x.abs();
    let folds = 1.0 + 0.10 * noise(grain, 0.25 * x, 0.12 * y) + 0.05 * noise(grain ^ 1, 0.9 * x, 0.3 * y)
        - 0.25 * bell((ax - 14.5) / 0.7) * step(-20.0, -24.0, y);
    let mut c = scale(banded(main, second, stripes, y), folds);
    if !front {
        return c;
    }
    match kind {
        1 => {
            let neck = (-14.6 - y) + 1.5 * ax - 5.0;
            c = blend(skin, c, step(-0.2, 0.2, neck + 0.0));
            c = scale(c, 1.0 - 0.35 * bell((neck - 0.5) / 0.5));
        }
        2 => {
            let flap = (ax - 1.2 - 0.75 * (-13.5 - y)).abs();
            let open = step(0.5, 0.1, ax - 0.6 * (y + 17.0).max(0.0));
            if y > -16.5 {
                c = blend(c, skin, open);
            }
            c = scale(c, 1.0 - 0.4 * bell(flap / 0.3) * step(-19.5, -17.5, y));
            c = scale(c, 1.0 - 0.35 * bell((x - 0.9) / 0.12) * step(-16.0, -17.0, y));
        }
        3 => {
            let rim = ((ax / 7.5).powi(2) + ((y + 13.0) / 3.8).powi(2)).sqrt();
            c = scale(c, 1.0 - 0.5 * bell((rim - 1.0) / 0.12));
            c = blend(
                c,
                [0.9, 0.9, 0.88],
                bell((ax - 2.2) / 0.18) * step(-16.0, -17.0, y) * step(-27.0, -26.0, y),
            );
        }
        4 => {
            let gap = 2.2 + 0.16 * (-14.0 - y).max(0.0);
            let edge = step(gap - 0.15, gap + 0.15, ax);
            let under = if y > -16.0 && ax < 3.2 { skin } else { scale(main, 1.0) };
            c = blend(under, scale(second, folds), edge);
            c = scale(c, 1.0 - 0.4 * bell((ax - gap) / 0.35));
        }
        _ => {
            let round = ((ax / 6.4).powi(2) + ((y + 13.0) / 2.6).powi(2)).sqrt();
            c = blend(skin, c, step(0.98, 1.02, round));
            c = scale(c, 1.0 - 0.25 * bell((round - 1.1) / 0.08));
        }
    }
    c
}
