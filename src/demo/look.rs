//! What makes a rendered shopper this shopper: the shape of head and face, skin, eyes, brows,
//! nose, mouth, hair, beard, glasses. A look is drawn from a seed and never changes; clothes,
//! pose, expression and light do. Lengths are centimetres on a head about 22 high.

use super::draw::{Draw, Realm, blend};

/// A colour, 0..1 per channel, as a screen shows it.
pub type Colour = [f32; 3];

/// One smooth dent or bulge of a face that no named feature covers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bump {
    /// Across, from the middle; mirrored unless `one_sided`.
    pub x: f32,
    /// Up, from the eyes.
    pub y: f32,
    /// Reach.
    pub size: f32,
    /// Height, negative for a dent.
    pub height: f32,
    /// Of the colour at the same place: lighter (+) or darker (-).
    pub tint: f32,
    /// On one side only.
    pub one_sided: bool,
}

/// Kinds of hair cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// None at all.
    Bald,
    /// A crown without top.
    Receding,
    /// Millimetres.
    Buzz,
    /// Short, combed back or up.
    Short,
    /// Short with a fringe.
    Fringe,
    /// A side parting with volume.
    SidePart,
    /// Full and round.
    Afro,
    /// To the jaw.
    Bob,
    /// To the jaw with a fringe.
    BobFringe,
    /// Over the shoulders.
    Long,
    /// Over the shoulders with a fringe.
    LongFringe,
    /// Tied back, with a bun.
    Bun,
}

/// Kinds of beard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BeardCut {
    /// Shaven.
    None,
    /// A few days.
    Stubble,
    /// Upper lip.
    Moustache,
    /// Chin and upper lip.
    Goatee,
    /// Cheeks, chin and upper lip.
    Full,
    /// Full and long.
    Long,
}

/// A frame before the eyes.
#[derive(Debug, Clone, PartialEq)]
pub struct Glasses {
    /// Half width of a lens.
    pub half_width: f32,
    /// Half height of a lens.
    pub half_height: f32,
    /// 2 is an ellipse, 5 nearly a rectangle.
    pub squareness: f32,
    /// Thickness of the rim.
    pub rim: f32,
    /// Its colour.
    pub colour: Colour,
}

/// Something on the head.
#[derive(Debug, Clone, PartialEq)]
pub enum Hat {
    /// Knitted, with a folded rim.
    Beanie(Colour),
    /// With a visor.
    Cap(Colour),
}

/// Identity of a rendered shopper.
#[derive(Debug, Clone, PartialEq)]
pub struct ShopperLook {
    /// Seeds the fine texture.
    pub grain: u32,
    /// Half widths of the head at forehead, cheekbones, jaw angle and chin.
    pub half_widths: [f32; 4],
    /// Height from the eyes to the crown, and down to the chin.
    pub heights: [f32; 2],
    /// Flatness of the face seen from above, 2 (round) to 2.8.
    pub flatness: f32,
    /// How far the forehead leans back, the chin stands out, the cheekbones, the cheeks.
    pub profile: [f32; 4],
    /// Ear size and how far they stand out.
    pub ears: [f32; 2],
    /// Unnamed shapes.
    pub bumps: Vec<Bump>,
    /// Skin.
    pub skin: Colour,
    /// Redness of cheeks and nose, dark rings under the eyes, oiliness, each 0..1.
    pub complexion: [f32; 3],
    /// 0 young, 1 old: folds and wrinkles.
    pub age: f32,
    /// Share of freckled skin, 0..1.
    pub freckles: f32,
    /// Moles: x, y, radius.
    pub moles: Vec<[f32; 3]>,
    /// Half the distance between the eyes; depth of the sockets.
    pub eye_place: [f32; 2],
    /// Half width, upper height, lower height, tilt, fold above the lid (0 none).
    pub eye_shape: [f32; 5],
    /// Colour of the iris.
    pub iris: Colour,
    /// Darkness of the lash line, 0..1.
    pub lashes: f32,
    /// Height above the eye, thickness, arch, tilt, length, density, inner gap.
    pub brows: [f32; 7],
    /// Bone above the eyes.
    pub brow_ridge: f32,
    /// Length, width, height of the tip, bridge height, bump on the bridge, tip turned up.
    pub nose: [f32; 6],
    /// Distance below the nose, half width, upper lip, lower lip, curve, fullness.
    pub mouth: [f32; 6],
    /// Colour of the lips.
    pub lips: Colour,
    /// Cut of the hair.
    pub cut: Cut,
    /// Colour of the hair and its second shade.
    pub hair: Colour,
    /// Hairline above the eyes, volume above, volume beside, waviness 0..1, parting (-1..1).
    pub hair_shape: [f32; 5],
    /// Beard.
    pub beard: BeardCut,
    /// Colour of brows and beard.
    pub brow_colour: Colour,
    /// Glasses, if worn.
    pub glasses: Option<Glasses>,
    /// Hat, if worn.
    pub hat: Option<Hat>,
}

const SKINS: [Colour; 6] = [
    [0.95, 0.81, 0.74],
    [0.92, 0.74, 0.62],
    [0.85, 0.65, 0.50],
    [0.71, 0.50, 0.36],
    [0.53, 0.35, 0.25],
    [0.36, 0.24, 0.18],
];
const HAIRS: [Colour; 9] = [
    [0.07, 0.06, 0.06],
    [0.14, 0.10, 0.08],
    [0.24, 0.16, 0.11],
    [0.36, 0.24, 0.15],
    [0.52, 0.38, 0.24],
    [0.76, 0.62, 0.42],
    [0.55, 0.24, 0.11],
    [0.55, 0.54, 0.53],
    [0.83, 0.82, 0.80],
];
const IRISES: [Colour; 6] = [
    [0.20, 0.12, 0.07],
    [0.30, 0.19, 0.10],
    [0.42, 0.32, 0.16],
    [0.32, 0.40, 0.28],
    [0.32, 0.45, 0.58],
    [0.42, 0.47, 0.52],
];
const CLOTH: [Colour; 12] = [
    [0.13, 0.14, 0.17],
    [0.20, 0.26, 0.40],
    [0.47, 0.14, 0.16],
    [0.82, 0.81, 0.78],
    [0.30, 0.42, 0.32],
    [0.62, 0.55, 0.43],
    [0.28, 0.45, 0.60],
    [0.70, 0.42, 0.20],
    [0.45, 0.30, 0.45],
    [0.80, 0.68, 0.30],
    [0.36, 0.36, 0.38],
    [0.75, 0.50, 0.52],
];

impl ShopperLook {
    /// The look `number` of `realm` under `seed`.
    pub fn draw(realm: Realm, seed: u64, number: u64) -> Self {
        let d = &mut Draw::new(realm, seed, number);
        // One leaning that many features share, so that faces hang together.
        let soft = if d.chance(0.5) { d.uniform(0.55, 1.0) } else { d.uniform(0.0, 0.45) };
        let age = d.uniform(0.0, 1.0).powf(1.3);
        let tone = d.uniform(0.0, 4.99);
        let at = tone.floor();
        let skin = blend(SKINS[at as usize], SKINS[at as usize + 1], tone - at);
        let hue = d.normal(0.0, 0.025);
        let skin = [skin[0] * (1.0 + hue), skin[1], skin[2] * (1.0 - 1.3 * hue)];
        let grey = age > 0.6 && d.chance(0.75);
        let natural = if tone > 3.0 {
            d.below(2)
        } else if tone > 2.2 {
            d.below(4)
        } else {
            d.weighted(&[1.0, 1.2, 1.4, 1.4, 1.2, 1.2, 0.8, 0.0, 0.0])
        };
        let hair = if grey { HAIRS[7 + d.below(2)] } else { HAIRS[natural] };
        let hair = blend(hair, [0.4, 0.3, 0.25], d.uniform(0.0, 0.15));
        let brow_base = blend(HAIRS[natural], hair, if grey { 0.55 } else { 0.0 });
        let hard_cuts =
            [0.7, 0.8, 1.1, 1.6, 0.9, 1.2, if tone > 3.0 { 0.8 } else { 0.15 }, 0.0, 0.0, 0.25, 0.0, 0.15];
        let soft_cuts =
            [0.0, 0.0, 0.1, 0.5, 0.3, 0.4, if tone > 3.0 { 0.9 } else { 0.1 }, 1.2, 1.1, 1.5, 1.2, 1.0];
        let cuts = [
            Cut::Bald,
            Cut::Receding,
            Cut::Buzz,
            Cut::Short,
            Cut::Fringe,
            Cut::SidePart,
            Cut::Afro,
            Cut::Bob,
            Cut::BobFringe,
            Cut::Long,
            Cut::LongFringe,
            Cut::Bun,
        ];
        let cut = cuts[d.weighted(if soft > 0.5 { &soft_cuts } else { &hard_cuts })];
        let beard = if soft > 0.5 {
            BeardCut::None
        } else {
            [
                BeardCut::None,
                BeardCut::Stubble,
                BeardCut::Moustache,
                BeardCut::Goatee,
                BeardCut::Full,
                BeardCut::Long,
            ][d.weighted(&[3.2, 1.6, 0.8, 0.9, 1.2, 0.5])]
        };
        let cheek = d.normal(7.35, 0.45);
        let bumps = (0..16)
            .map(|i| Bump {
                x: if i < 12 { d.uniform(0.0, 6.0) } else { d.uniform(-5.5, 5.5) },
                y: d.uniform(-9.5, 6.0),
                size: d.uniform(1.1, 2.8),
                height: d.normal(0.0, if i < 12 { 0.24 } else { 0.10 }),
                tint: d.normal(0.0, if i < 12 { 0.055 } else { 0.03 }),
                one_sided: i >= 12,
            })
            .collect();
        ShopperLook {
            grain: d.seed() as u32,
            half_widths: [
                cheek * d.normal(0.945, 0.035),
                cheek,
                cheek * d.normal(0.885 - 0.07 * soft, 0.055),
                d.normal(4.0 - 0.8 * soft, 0.65),
            ],
            heights: [d.normal(11.0, 0.6), d.normal(11.4 - 0.7 * soft, 0.75)],
            flatness: d.uniform(2.0, 2.7),
            profile: [d.normal(0.35, 0.4), d.normal(0.3, 0.4), d.normal(0.35, 0.3), d.normal(0.0, 0.45)],
            ears: [d.normal(1.0, 0.13), d.uniform(0.0, 1.0)],
            bumps,
            skin,
            complexion: [
                d.uniform(0.0, 1.0),
                d.uniform(0.0, 0.6) + 0.4 * age * d.uniform(0.0, 1.0),
                d.uniform(0.0, 1.0),
            ],
            age,
            freckles: if tone < 2.0 && d.chance(0.25) { d.uniform(0.3, 1.0) } else { 0.0 },
            moles: (0..d.below(5))
                .map(|_| [d.uniform(-5.5, 5.5), d.uniform(-9.0, 5.0), d.uniform(0.08, 0.2)])
                .collect(),
            eye_place: [d.normal(3.22, 0.25), d.normal(0.75, 0.32)],
            eye_shape: [
                d.normal(1.52, 0.16),
                d.normal(0.55 + 0.08 * soft, 0.13),
                d.normal(0.42, 0.09),
                d.normal(0.06 + 0.08 * soft, 0.12),
                if d.chance(0.25) { 0.0 } else { d.uniform(0.15, 0.55) },
            ],
            iris: if tone > 2.4 { IRISES[d.below(2)] } else { IRISES[d.below(6)] },
            lashes: d.uniform(0.25, 0.6) + 0.4 * soft,
            brows: [
                d.normal(1.75 + 0.3 * soft, 0.3),
                d.normal(0.48 - 0.18 * soft, 0.13).max(0.12),
                d.normal(0.2 + 0.2 * soft, 0.2),
                d.normal(0.0, 0.14),
                d.normal(2.35, 0.25),
                d.uniform(0.45, 1.0),
                if d.chance(0.1) { d.uniform(0.2, 0.5) } else { d.normal(1.2, 0.25) },
            ],
            brow_ridge: d.normal(0.65 - 0.45 * soft, 0.22),
            nose: [
                d.normal(4.5, 0.45),
                d.normal(1.05 - 0.1 * soft + if tone > 3.0 { 0.15 } else { 0.0 }, 0.15),
                d.normal(2.5, 0.35),
                d.normal(0.8, 0.35),
                d.normal(0.05, 0.2),
                d.normal(0.1 * soft, 0.3),
            ],
            mouth: [
                d.normal(2.2, 0.28),
                d.normal(2.45, 0.28),
                d.normal(0.5 + 0.1 * soft + if tone > 3.0 { 0.15 } else { 0.0 }, 0.14).max(0.15),
                d.normal(0.72 + 0.1 * soft + if tone > 3.0 { 0.15 } else { 0.0 }, 0.16).max(0.25),
                d.normal(0.03, 0.12),
                d.normal(0.8, 0.25),
            ],
            lips: blend(
                [skin[0] * 0.86, skin[1] * 0.62, skin[2] * 0.62],
                *d.pick(&[[0.70, 0.24, 0.28], [0.62, 0.30, 0.30], [0.50, 0.18, 0.26]]),
                if soft > 0.5 { d.uniform(0.1, 0.8) } else { d.uniform(0.0, 0.3) },
            ),
            cut,
            hair,
            hair_shape: [
                d.normal(6.1 + 0.5 * age, 0.55),
                d.uniform(0.5, 2.2),
                d.uniform(0.3, 1.6),
                d.uniform(0.0, 1.0),
                d.uniform(-1.0, 1.0),
            ],
            beard,
            brow_colour: blend(brow_base, [0.1, 0.07, 0.06], d.uniform(0.0, 0.5)),
            glasses: d.chance(0.28).then(|| Glasses {
                half_width: d.uniform(2.3, 3.0),
                half_height: d.uniform(1.5, 2.4),
                squareness: d.uniform(2.0, 5.0),
                rim: d.uniform(0.12, 0.4),
                colour: *d.pick(&[
                    [0.05, 0.05, 0.06],
                    [0.25, 0.14, 0.08],
                    [0.55, 0.50, 0.42],
                    [0.12, 0.15, 0.35],
                    [0.45, 0.10, 0.12],
                    [0.62, 0.62, 0.64],
                ]),
            }),
            hat: d.chance(0.07).then(|| {
                let colour = *d.pick(&CLOTH);
                if d.chance(0.5) { Hat::Beanie(colour) } else { Hat::Cap(colour) }
            }),
        }
    }
}

/// One of the cloth colours.
pub fn cloth(d: &mut Draw) -> Colour {
    let base = *d.pick(&CLOTH);
    let k = d.uniform(0.8, 1.15);
    [(base[0] * k).min(1.0), (base[1] * k).min(1.0), (base[2] * k).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_the_same_every_time_and_another_number_is_another_person() {
        let look = |n| ShopperLook::draw(Realm::Member, 5, n);
        assert_eq!(look(3), look(3));
        assert_ne!(look(3), look(4));
    }
}
