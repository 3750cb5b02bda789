//! A rendered shopper: a look made into meshes and paint once, then drawn in any pose and light.
//! Says exactly where the face is, so that detection and recognition can be checked.

use super::draw::step;
use super::hair::{self, Shell};
use super::head::Head;
use super::look::ShopperLook;
use super::raster::{self, Finish, Lids, Light, Mesh, Piece, Placed, Texture, V3};
use super::{skin, wear};
use crate::vision::{Point, Rect};
use image::RgbImage;

/// Head height in centimetres that [`Placement::head_px`] refers to.
const HEAD_CM: f32 = 22.0;
/// Distance of the camera, which sets how strong the perspective is.
const CAMERA_CM: f32 = 130.0;
const PIVOT: V3 = [0.0, -9.0, -2.5];

const SKIN: Finish = Finish { gloss: 0.16, sharpness: 4, translucency: 1.0, sheet: false };
const HAIR: Finish = Finish { gloss: 0.10, sharpness: 3, translucency: 0.3, sheet: true };
const FABRIC: Finish = Finish { gloss: 0.0, sharpness: 2, translucency: 0.2, sheet: false };
const FRAME: Finish = Finish { gloss: 0.5, sharpness: 5, translucency: 0.0, sheet: false };

/// How a shopper holds head and face.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pose {
    /// Turned to the picture's right, degrees.
    pub yaw: f32,
    /// Looking up, degrees.
    pub pitch: f32,
    /// Tilted clockwise, degrees.
    pub roll: f32,
    /// Body turned to the picture's right, degrees.
    pub body: f32,
    /// Eyes closed, 0..1.
    pub blink: f32,
    /// -1 (down) to 1 (a smile).
    pub smile: f32,
}

/// Where in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// The middle of the head at rest, pixels.
    pub centre: Point,
    /// Height of the head from crown to chin, pixels.
    pub head_px: f32,
    /// Pixels that the shopper moves sideways while the shutter is open.
    pub smear: f32,
    /// Softness of the lens, 0 (sharp) to 1.
    pub soft: f32,
}

/// The truth about one drawn face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnFace {
    /// Forehead to chin.
    pub bbox: Rect,
    /// Left eye, right eye (as seen in the picture), nose tip, left and right mouth corner.
    pub landmarks: [Point; 5],
    /// Both eyes, nose and mouth lie within the picture and the face is not turned away.
    pub visible: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Head,
    Neck,
    Body,
}

struct Part {
    mesh: Mesh,
    texture: Texture,
    finish: Finish,
    holds: Holds,
}

/// A shopper ready to be drawn.
pub struct Shopper {
    parts: Vec<Part>,
    lids: Lids,
    smile: Vec<V3>,
    landmarks: [V3; 5],
    outline: Vec<V3>,
}

impl Shopper {
    /// Builds meshes and paint of `look`, in the clothes number `outfit` under `seed`. Takes some
    /// tens of milliseconds.
    pub fn new(look: &ShopperLook, seed: u64, outfit: u64) -> Self {
        let head = Head::new(look);
        let mesh = Mesh::grid(84, 92, true, |u, v| head.point(Head::angle(u), head.height(v)));
        let (texture, lids) = skin::paint(&head);
        let (my, half) = (head.mouth_y(), look.mouth[1]);
        let smile = mesh.vertices.iter().map(|v| smile_at(v.pos, my, half)).collect();
        let gloss = SKIN.gloss * (0.5 + look.complexion[2]);
        let mut parts = vec![Part { mesh, texture, finish: Finish { gloss, ..SKIN }, holds: Holds::Head }];
        let mut add = |shell: Shell, finish, holds| {
            parts.push(Part { mesh: shell.mesh, texture: shell.texture, finish, holds });
        };
        hair::hat(&head).into_iter().for_each(|s| add(s, Finish { sheet: true, ..FABRIC }, Holds::Head));
        hair::shell(&head).into_iter().for_each(|s| add(s, HAIR, Holds::Head));
        hair::bun(look).into_iter().for_each(|s| add(s, Finish { sheet: false, ..HAIR }, Holds::Head));
        wear::glasses(look).into_iter().for_each(|s| add(s, FRAME, Holds::Head));
        let ears = wear::ears(look).into_iter().filter(|_| !hair::hides_ears(look));
        ears.for_each(|s| add(s, SKIN, Holds::Head));
        add(wear::neck(look), SKIN, Holds::Neck);
        wear::clothes(look, seed, outfit).into_iter().for_each(|s| add(s, FABRIC, Holds::Body));
        let ex = look.eye_place[0];
        let lift = look.mouth[4];
        let points =
            [[-ex, 0.0], [ex, 0.0], [0.0, -look.nose[0] + 0.8], [-half, my + lift], [half, my + lift]];
        let mut outline = Vec::new();
        for y in [5.0, 3.0, 0.0, -3.0, -6.0, -9.0, -0.97 * look.heights[1]] {
            for a in [-78.0f32, -50.0, -25.0, 0.0, 25.0, 50.0, 78.0] {
                outline.push(head.base(a.to_radians(), y));
            }
        }
        Shopper { parts, lids, smile, landmarks: points.map(|p| head.front_point(p[0], p[1])), outline }
    }

    /// Draws the shopper over `picture`; what lies outside is cut off.
    pub fn draw(&self, picture: &mut RgbImage, at: Placement, pose: &Pose, light: &Light) -> DrawnFace {
        let fine = if at.head_px < 85.0 { 2 } else { 1 };
        let scale = at.head_px / HEAD_CM * fine as f32;
        let turn = Turn::new(pose);
        let margin = at.head_px * 1.1 + at.smear;
        let left = (at.centre[0] - margin).max(-4.0).floor() as i64;
        let right = (at.centre[0] + margin).min(picture.width() as f32 + 4.0).ceil() as i64;
        let top = (at.centre[1] - 0.85 * at.head_px).max(-4.0).floor() as i64;
        let bottom = (at.centre[1] + 7.2 * at.head_px).min(picture.height() as f32 + 2.0).ceil() as i64;
        let origin = [(at.centre[0] - left as f32) * fine as f32, (at.centre[1] - top as f32) * fine as f32];
        if right > left && bottom > top {
            let place = |p: V3, normal: V3| Placed { at: screen(p, scale, origin), normal };
            let pieces: Vec<Piece<'_>> = self
                .parts
                .iter()
                .enumerate()
                .map(|(i, part)| Piece {
                    mesh: &part.mesh,
                    texture: &part.texture,
                    finish: part.finish,
                    placed: self.place(i, part, &turn, pose.smile, &place),
                    lids: (i == 0).then_some((&self.lids, pose.blink)),
                })
                .collect();
            let size = [(right - left) as usize * fine, (bottom - top) as usize * fine];
            let mut layer = raster::draw(size[0], size[1], &pieces, light);
            let mut soft = at.soft;
            if fine == 2 {
                layer = layer.halved();
            } else {
                // smooths the steps of the edges
                soft += 0.2;
            }
            if soft > 0.02 {
                layer.soften(soft);
            }
            layer.smear(at.smear.round() as usize);
            layer.over(picture, left, top);
        }
        self.truth(picture, at, pose, &turn)
    }

    fn place(
        &self,
        number: usize,
        part: &Part,
        turn: &Turn,
        smile: f32,
        place: &impl Fn(V3, V3) -> Placed,
    ) -> Vec<Placed> {
        let vertices = part.mesh.vertices.iter().enumerate();
        vertices
            .map(|(i, v)| match part.holds {
                Holds::Head => {
                    let mut p = v.pos;
                    if number == 0 {
                        let s = self.smile[i];
                        p = [p[0] + smile * s[0], p[1] + smile * s[1], p[2] + smile * s[2]];
                    }
                    place(turn.head(p), rotate(&turn.head, v.normal))
                }
                Holds::Body => place(rotate(&turn.body, v.pos), rotate(&turn.body, v.normal)),
                Holds::Neck => {
                    let (a, b) = (turn.head(v.pos), rotate(&turn.body, v.pos));
                    let t = step(0.15, 0.85, v.uv[1]);
                    let p = [0, 1, 2].map(|k| a[k] + t * (b[k] - a[k]));
                    place(p, rotate(&turn.body, v.normal))
                }
            })
            .collect()
    }

    fn truth(&self, picture: &RgbImage, at: Placement, pose: &Pose, turn: &Turn) -> DrawnFace {
        let scale = at.head_px / HEAD_CM;
        let seen = |p: V3| {
            let s = screen(turn.head(p), scale, at.centre);
            [s[0], s[1]]
        };
        let mut landmarks = self.landmarks.map(seen);
        for (i, side) in [(3, -1.0f32), (4, 1.0)] {
            let mut p = self.landmarks[i];
            p[0] += side * 0.35 * pose.smile;
            p[1] += 0.30 * pose.smile;
            landmarks[i] = seen(p);
        }
        let mut low = [f32::MAX; 2];
        let mut high = [f32::MIN; 2];
        for p in self.outline.iter().map(|&p| seen(p)).chain(landmarks) {
            for k in 0..2 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        let (w, h) = (picture.width() as f32, picture.height() as f32);
        let within = landmarks.iter().all(|p| p[0] > 2.0 && p[1] > 2.0 && p[0] < w - 2.0 && p[1] < h - 2.0);
        DrawnFace {
            bbox: Rect {
                x: low[0] - 0.5,
                y: low[1] - 0.5,
                w: high[0] - low[0] + 1.0,
                h: high[1] - low[1] + 1.0,
            },
            landmarks,
            visible: within && pose.yaw.abs() < 65.0,
        }
    }
}

fn smile_at(p: V3, my: f32, half: f32) -> V3 {
    use super::draw::bell;
    if p[2] < 2.0 {
        return [0.0; 3];
    }
    let side = p[0].signum() * step(0.3, 1.2, p[0].abs());
    let corner = bell((p[0].abs() - half) / 1.3) * bell((p[1] - my) / 1.1);
    let cheek = bell((p[0].abs() - 4.0) / 1.6) * bell((p[1] + 3.4) / 1.6);
    [0.35 * side * corner, 0.30 * corner + 0.22 * cheek, 0.2 * cheek - 0.1 * corner]
}

type Matrix = [V3; 3];

struct Turn {
    head: Matrix,
    body: Matrix,
}

impl Turn {
    fn new(pose: &Pose) -> Self {
        let (sy, cy) = pose.yaw.to_radians().sin_cos();
        let (sp, cp) = (-pose.pitch).to_radians().sin_cos();
        let (sr, cr) = (-pose.roll).to_radians().sin_cos();
        let yaw = [[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]];
        let pitch = [[1.0, 0.0, 0.0], [0.0, cp, -sp], [0.0, sp, cp]];
        let roll = [[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]];
        let (sb, cb) = pose.body.to_radians().sin_cos();
        let body = [[cb, 0.0, sb], [0.0, 1.0, 0.0], [-sb, 0.0, cb]];
        Turn { head: times(&roll, &times(&yaw, &pitch)), body }
    }

    fn head(&self, p: V3) -> V3 {
        let pivot = rotate(&self.body, PIVOT);
        let q = rotate(&self.head, [p[0] - PIVOT[0], p[1] - PIVOT[1], p[2] - PIVOT[2]]);
        [q[0] + pivot[0], q[1] + pivot[1], q[2] + pivot[2]]
    }
}

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    let mut m = [[0.0; 3]; 3];
    for (i, row) in m.iter_mut().enumerate() {
        for (j, out) in row.iter_mut().enumerate() {
            *out = (0..3).map(|k| a[i][k] * b[k][j]).sum();
        }
    }
    m
}

fn rotate(m: &Matrix, p: V3) -> V3 {
    [raster::dot(m[0], p), raster::dot(m[1], p), raster::dot(m[2], p)]
}

fn screen(p: V3, scale: f32, origin: Point) -> V3 {
    let k = scale * CAMERA_CM / (CAMERA_CM - p[2] + 8.0);
    [origin[0] + k * p[0], origin[1] - k * p[1], p[2]]
}
