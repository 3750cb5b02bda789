//! A small software rasteriser: grids of vertices, a depth buffer, one shading pass over what is
//! seen. Space is centimetres with x to the right of the picture, y up and z towards the camera.
//! Light is added up in a space of gamma 2 and comes out as screen colours.

use super::layer::Layer;

/// A point or direction.
pub type V3 = [f32; 3];

/// a·b.
pub fn dot(a: V3, b: V3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// `a` at length 1 (unchanged if it has none).
pub fn unit(a: V3) -> V3 {
    let l = dot(a, a).sqrt();
    if l < 1e-9 { a } else { [a[0] / l, a[1] / l, a[2] / l] }
}

/// A corner of a mesh.
#[derive(Debug, Clone, Copy)]
pub struct Vertex {
    /// Place at rest.
    pub pos: V3,
    /// Outward, length 1.
    pub normal: V3,
    /// Place in the texture, 0..1 each.
    pub uv: [f32; 2],
}

/// Triangles over vertices.
#[derive(Debug, Clone, Default)]
pub struct Mesh {
    /// Corners.
    pub vertices: Vec<Vertex>,
    /// Three corners each.
    pub triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// A grid of `rows` x `cols` points `at(u, v)`, u along a row and v down the rows, both 0..1.
    /// It faces where v's direction times u's direction points. `closed`: the last column meets
    /// the first.
    pub fn grid(rows: usize, cols: usize, closed: bool, at: impl Fn(f32, f32) -> V3) -> Mesh {
        let param = |i: usize, n: usize| i as f32 / (n - 1) as f32;
        let points: Vec<V3> =
            (0..rows * cols).map(|i| at(param(i % cols, cols), param(i / cols, rows))).collect();
        let p = |r: usize, c: usize| points[r * cols + c];
        let mut mesh = Mesh::default();
        for r in 0..rows {
            for c in 0..cols {
                let (before, after) = match (c, closed) {
                    (0, true) => (cols - 2, 1),
                    (c, true) if c == cols - 1 => (cols - 2, 1),
                    (c, _) => (c.saturating_sub(1), (c + 1).min(cols - 1)),
                };
                let (a, b) = (p(r, after), p(r, before));
                let (d, e) = (p((r + 1).min(rows - 1), c), p(r.saturating_sub(1), c));
                let du = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
                let dv = [d[0] - e[0], d[1] - e[1], d[2] - e[2]];
                let n = [
                    dv[1] * du[2] - dv[2] * du[1],
                    dv[2] * du[0] - dv[0] * du[2],
                    dv[0] * du[1] - dv[1] * du[0],
                ];
                mesh.vertices.push(Vertex {
                    pos: p(r, c),
                    normal: unit(n),
                    uv: [param(c, cols), param(r, rows)],
                });
            }
        }
        for r in 0..rows as u32 - 1 {
            for c in 0..cols as u32 - 1 {
                let i = r * cols as u32 + c;
                mesh.triangles.push([i, i + cols as u32, i + 1]);
                mesh.triangles.push([i + 1, i + cols as u32, i + cols as u32 + 1]);
            }
        }
        mesh
    }
}

/// Colours over a mesh, as a screen shows them; alpha below one half is a hole.
#[derive(Debug, Clone)]
pub struct Texture {
    width: usize,
    height: usize,
    texels: Vec<[u8; 4]>,
}

impl Texture {
    /// Asks `colour(u, v)` for every texel; channels and alpha 0..1.
    pub fn paint(width: usize, height: usize, mut colour: impl FnMut(f32, f32) -> [f32; 4]) -> Self {
        let mut texels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let c = colour(x as f32 / (width - 1).max(1) as f32, y as f32 / (height - 1).max(1) as f32);
                texels.push(c.map(|v| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
            }
        }
        Texture { width, height, texels }
    }

    /// One colour everywhere.
    pub fn plain(colour: [f32; 3]) -> Self {
        Texture::paint(2, 2, |_, _| [colour[0], colour[1], colour[2], 1.0])
    }

    /// Bilinear.
    #[inline]
    fn sample(&self, uv: [f32; 2]) -> [f32; 4] {
        let x = (uv[0] * (self.width - 1) as f32).clamp(0.0, (self.width - 2) as f32 + 0.999);
        let y = (uv[1] * (self.height - 1) as f32).clamp(0.0, (self.height - 2) as f32 + 0.999);
        let (xi, yi) = (x as usize, y as usize);
        let (fx, fy) = (x - xi as f32, y - yi as f32);
        let i = yi * self.width + xi;
        let (a, b) = (self.texels[i], self.texels[i + 1]);
        let (c, d) = (self.texels[i + self.width], self.texels[i + self.width + 1]);
        let mut out = [0.0; 4];
        for k in 0..4 {
            let top = a[k] as f32 + (b[k] as f32 - a[k] as f32) * fx;
            let low = c[k] as f32 + (d[k] as f32 - c[k] as f32) * fx;
            out[k] = (top + (low - top) * fy) * (1.0 / 255.0);
        }
        out
    }

    #[inline]
    fn is_hole(&self, uv: [f32; 2]) -> bool {
        let x = (uv[0] * (self.width - 1) as f32 + 0.5).clamp(0.0, (self.width - 1) as f32) as usize;
        let y = (uv[1] * (self.height - 1) as f32 + 0.5).clamp(0.0, (self.height - 1) as f32) as usize;
        self.texels[y * self.width + x][3] < 128
    }
}

/// Closed eyelids, laid over a part of a texture as far as the lids have come down.
#[derive(Debug, Clone)]
pub struct Lids {
    /// Left, top, right and bottom in the texture that they cover.
    pub area: [f32; 4],
    /// Alpha: how far the eye must be closed before the lid is here.
    pub texture: Texture,
}

/// How a part takes light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// Strength of the highlight.
    pub gloss: f32,
    /// Its sharpness: the exponent is 2 to this power.
    pub sharpness: u32,
    /// Light creeping round into the shade, 0 (cloth) to 1 (skin).
    pub translucency: f32,
    /// Both sides are seen, and alpha cuts holes.
    pub sheet: bool,
}

/// The light that a camera sees a shopper in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// Towards the strongest light, length 1.
    pub towards: V3,
    /// Colour and strength of that light.
    pub key: V3,
    /// Colour and strength of the light from everywhere.
    pub sky: V3,
}

/// A vertex on its way to the picture.
#[derive(Debug, Clone, Copy)]
pub struct Placed {
    /// Pixels, and nearness to the camera in centimetres.
    pub at: V3,
    /// Outward, turned with the head.
    pub normal: V3,
}

/// A part ready to be drawn.
pub struct Piece<'a> {
    /// What.
    pub mesh: &'a Mesh,
    /// Its colours.
    pub texture: &'a Texture,
    /// How it takes light.
    pub finish: Finish,
    /// Its vertices, in the order of the mesh.
    pub placed: Vec<Placed>,
    /// Eyelids and how far closed they are, 0..1.
    pub lids: Option<(&'a Lids, f32)>,
}

#[derive(Clone, Copy, Default)]
struct Hit {
    piece: u16,
    triangle: u32,
    b: f32,
    c: f32,
}

/// Draws `pieces` as seen on a picture of `width` x `height` pixels.
pub fn draw(width: usize, height: usize, pieces: &[Piece<'_>], light: &Light) -> Layer {
    let mut depth = vec![f32::MIN; width * height];
    let mut hits = vec![Hit::default(); width * height];
    for (number, piece) in pieces.iter().enumerate() {
        for (t, &[ia, ib, ic]) in piece.mesh.triangles.iter().enumerate() {
            let [a, b, c] = [ia, ib, ic].map(|i| piece.placed[i as usize].at);
            let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
            // Rows run down and columns right, so a triangle that faces the camera has area < 0.
            if area.abs() < 1e-6 || (area > 0.0 && !piece.finish.sheet) {
                continue;
            }
            let right = a[0].max(b[0]).max(c[0]).min(width as f32 - 1.0);
            let bottom = a[1].max(b[1]).max(c[1]).min(height as f32 - 1.0);
            if right < 0.0 || bottom < 0.0 {
                continue;
            }
            // a cast cuts off: one more is the next whole pixel (or the one after, which costs little)
            let left = (a[0].min(b[0]).min(c[0]) + 0.9999).max(0.0) as usize;
            let top = (a[1].min(b[1]).min(c[1]) + 0.9999).max(0.0) as usize;
            let (right, bottom) = (right as usize, bottom as usize);
            if left > right || top > bottom {
                continue;
            }
            let inv = 1.0 / area;
            for y in top..=bottom {
                for x in left..=right {
                    let (px, py) = (x as f32 - a[0], y as f32 - a[1]);
                    let wb = (px * (c[1] - a[1]) - py * (c[0] - a[0])) * inv;
                    let wc = ((b[0] - a[0]) * py - (b[1] - a[1]) * px) * inv;
                    if wb < -1e-4 || wc < -1e-4 || wb + wc > 1.0001 {
                        continue;
                    }
                    let z = a[2] + wb * (b[2] - a[2]) + wc * (c[2] - a[2]);
                    let i = y * width + x;
                    if z <= depth[i] {
                        continue;
                    }
                    if piece.finish.sheet && piece.texture.is_hole(uv(piece.mesh, [ia, ib, ic], wb, wc)) {
                        continue;
                    }
                    depth[i] = z;
                    hits[i] = Hit { piece: number as u16, triangle: t as u32, b: wb, c: wc };
                }
            }
        }
    }
    let half = unit([light.towards[0], light.towards[1], light.towards[2] + 1.0]);
    let pixels = (0..width * height)
        .map(|i| {
            if depth[i] == f32::MIN {
                return [0.0; 4];
            }
            shade(&pieces[hits[i].piece as usize], hits[i], light, half)
        })
        .collect();
    Layer { width, height, pixels }
}

#[inline]
fn uv(mesh: &Mesh, corners: [u32; 3], b: f32, c: f32) -> [f32; 2] {
    let [p, q, r] = corners.map(|i| mesh.vertices[i as usize].uv);
    [p[0] + b * (q[0] - p[0]) + c * (r[0] - p[0]), p[1] + b * (q[1] - p[1]) + c * (r[1] - p[1])]
}

#[inline]
fn shade(piece: &Piece<'_>, hit: Hit, light: &Light, half: V3) -> [f32; 4] {
    let corners = piece.mesh.triangles[hit.triangle as usize];
    let place = uv(piece.mesh, corners, hit.b, hit.c);
    let [p, q, r] = corners.map(|i| piece.placed[i as usize].normal);
    let mut n = [0.0; 3];
    for k in 0..3 {
        n[k] = p[k] + hit.b * (q[k] - p[k]) + hit.c * (r[k] - p[k]);
    }
    n = unit(n);
    let mut inside = 1.0;
    if n[2] < 0.0 && piece.finish.sheet {
        n = [-n[0], -n[1], -n[2]];
        inside = 0.45;
    }
    let mut colour = piece.texture.sample(place);
    let mut gloss = piece.finish.gloss;
    if let Some((lids, closed)) = piece.lids {
        let [l, t, right, bottom] = lids.area;
        if place[0] > l && place[0] < right && place[1] > t && place[1] < bottom {
            let over = lids.texture.sample([(place[0] - l) / (right - l), (place[1] - t) / (bottom - t)]);
            if over[3] < closed {
                colour = over;
            }
        }
    }
    gloss *= 0.3 + colour[1];
    let falls = dot(n, light.towards);
    let mut shine = dot(n, half).max(0.0);
    if gloss > 0.0 {
        for _ in 0..piece.finish.sharpness {
            shine *= shine;
        }
    }
    let above = 0.68 + 0.32 * n[1];
    let mut out = [0.0, 0.0, 0.0, 1.0];
    for k in 0..3 {
        let creep = [0.30, 0.14, 0.10][k] * piece.finish.translucency;
        let lit = ((falls + creep) / (1.0 + creep)).max(0.0);
        let albedo = colour[k] * colour[k];
        out[k] =
            inside * (albedo * (light.key[k] * lit + light.sky[k] * above) + light.key[k] * gloss * shine);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece<'a>(mesh: &'a Mesh, texture: &'a Texture, across: f32) -> Piece<'a> {
        let place = |v: &Vertex| Placed {
            at: [2.0 + across * v.pos[0], 2.0 - 10.0 * v.pos[1], v.pos[2]],
            normal: v.normal,
        };
        Piece {
            mesh,
            texture,
            finish: Finish { gloss: 0.0, sharpness: 1, translucency: 0.0, sheet: false },
            placed: mesh.vertices.iter().map(place).collect(),
            lids: None,
        }
    }

    #[test]
    fn a_triangle_facing_away_is_not_drawn_and_the_nearer_part_wins() {
        let at = |z: f32| Mesh::grid(2, 2, false, move |u, v| [u, -v, z]);
        let (near, far) = (at(1.0), at(0.0));
        let (red, blue) = (Texture::plain([1.0, 0.0, 0.0]), Texture::plain([0.0, 0.0, 1.0]));
        let light = Light { towards: [0.0, 0.0, 1.0], key: [1.0; 3], sky: [0.0; 3] };
        let seen = draw(16, 16, &[piece(&near, &red, 10.0), piece(&far, &blue, 10.0)], &light);
        assert!(seen.pixels[8 * 16 + 8][0] > 0.5 && seen.pixels[8 * 16 + 8][2] < 0.1);
        let seen = draw(16, 16, &[piece(&near, &red, -10.0)], &light);
        assert!(seen.pixels.iter().all(|p| p[3] == 0.0));
    }
}
