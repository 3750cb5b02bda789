//! How alike two looks are to a face recogniser. Each measurement is scaled to about one standard
//! deviation; its weight says how much a reference recogniser minds a difference of one. The
//! weights were fitted (non-negative least squares) to 1 - cosine of the mean embeddings of 600
//! exported identities; the fit explains them with a correlation of 0.65.

use super::look::{BeardCut, Cut, ShopperLook};

const COUNT: usize = 32;

/// Measurements of a look, for comparing it with many others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness([f32; COUNT]);

#[rustfmt::skip]
const WEIGHTS: [f32; COUNT] = [
    0.0014, 0.0036, 0.0038, 0.0054, // cheekbones, jaw, chin, face height
    0.0124, 0.0032, 0.0095, // eyes: distance, width, tilt
    0.0033, 0.0043, 0.0028, // brows: height, thickness, arch
    0.0080, 0.0065, 0.0005, // nose: length, width, tip
    0.0053, 0.0043, 0.0022, // mouth: height, width, lips
    0.0018, 0.0015, // hairline, age
    0.0027, 0.0006, // skin: red, blue
    0.0006, 0.0023, // hair: red, blue; brows are mostly hair
    0.0015, 0.0057, 0.0086, // brow colour, glasses, beard
    0.0011, 0.0036, 0.0017, // cheekbones standing out, brow ridge, inner gap of the brows
    0.0024, 0.0029, // lips: green, cut of the hair
    0.0008, 0.0014, // hat, iris
];

impl Likeness {
    /// Measures `look`.
    pub fn of(look: &ShopperLook) -> Self {
        let beard = match look.beard {
            BeardCut::None => 0.0,
            BeardCut::Stubble => 1.0,
            BeardCut::Moustache => 1.8,
            BeardCut::Goatee => 2.4,
            BeardCut::Full => 3.4,
            BeardCut::Long => 4.2,
        };
        let cut = match look.cut {
            Cut::Bald | Cut::Receding | Cut::Buzz => 0.0,
            Cut::Short | Cut::SidePart | Cut::Bun => 1.0,
            Cut::Fringe | Cut::Afro => 1.6,
            Cut::Bob | Cut::Long => 2.2,
            Cut::BobFringe | Cut::LongFringe => 3.0,
        };
        Likeness([
            look.half_widths[1] / 0.45,
            look.half_widths[2] / 0.55,
            look.half_widths[3] / 0.7,
            look.heights[1] / 0.8,
            look.eye_place[0] / 0.25,
            look.eye_shape[0] / 0.16,
            look.eye_shape[3] / 0.12,
            look.brows[0] / 0.3,
            look.brows[1] / 0.14,
            look.brows[2] / 0.22,
            look.nose[0] / 0.45,
            look.nose[1] / 0.16,
            look.nose[2] / 0.35,
            look.mouth[0] / 0.28,
            look.mouth[1] / 0.28,
            (look.mouth[2] + look.mouth[3]) / 0.25,
            look.hair_shape[0] / 0.6,
            look.age / 0.2,
            look.skin[0] / 0.125,
            look.skin[2] / 0.125,
            look.hair[0] / 0.167,
            look.hair[2] / 0.167,
            look.brow_colour[1] / 0.15,
            if look.glasses.is_some() { 3.0 } else { 0.0 },
            beard,
            look.profile[2] / 0.3,
            look.brow_ridge / 0.3,
            look.brows[6] / 0.3,
            look.lips[1] / 0.1,
            cut,
            if look.hat.is_some() { 2.0 } else { 0.0 },
            look.iris[2] / 0.15,
        ])
    }

    /// How different: 0 for the same look, about 0.25 on average for two drawn at random.
    pub fn distance(&self, other: &Likeness) -> f32 {
        let pairs = self.0.iter().zip(&other.0).zip(&WEIGHTS);
        pairs.map(|((a, b), w)| w * (a - b).powi(2).min(9.0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::Realm;
    use super::*;

    #[test]
    fn a_look_is_like_itself_and_unlike_most_others() {
        let looks: Vec<Likeness> =
            (0..60).map(|n| Likeness::of(&ShopperLook::draw(Realm::Member, 5, n))).collect();
        assert_eq!(looks[3].distance(&looks[3]), 0.0);
        let mean = looks[1..].iter().map(|l| l.distance(&looks[0])).sum::<f32>() / 59.0;
        assert!((0.12..0.4).contains(&mean), "{mean}");
    }
}
