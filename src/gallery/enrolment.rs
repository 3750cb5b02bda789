//! Whether faces make a good enrolment: enough of them, of one person, who is not enrolled yet. Pure.

use super::{Gallery, Template};
use crate::id::MemberId;
use crate::vision::{Embedding, Quality};

/// Good faces that an enrolment takes.
pub const FACES: usize = 3;
/// Photographs that are considered at most.
const MOST: usize = 8;
/// Two faces of one person may be this much less alike than a match must be: a match is against the
/// mean of several, these are pairs.
const PAIR: f32 = 0.6;

/// A good face: its photograph's position, what describes it, how good it is.
pub type Face = (usize, Embedding, Quality);

/// Why faces do not make an enrolment.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotEnrolled {
    /// Too few good faces.
    #[error(
        "{found} good photographs, but an enrolment takes {FACES}: add photographs, sharp, well lit, facing the camera"
    )]
    TooFew {
        /// How many were good.
        found: usize,
    },
    /// Two of them seem to be of different people.
    #[error(
        "photographs {first} and {second} do not seem to show the same person (likeness {likeness:.2}, at least \
         {needed:.2} is needed): use photographs of one person"
    )]
    NotOnePerson {
        /// Number of the one, from 1.
        first: usize,
        /// Number of the other.
        second: usize,
        /// Their cosine.
        likeness: f32,
        /// The least cosine.
        needed: f32,
    },
    /// The gallery knows this face.
    #[error(
        "this person seems to be enrolled already (likeness {likeness:.2}); erase that member first, or give --again"
    )]
    Known {
        /// As whom.
        member: MemberId,
        /// The cosine.
        likeness: f32,
    },
}

/// Chooses the [`FACES`] of `faces` (at most [`MOST`] are considered, best quality first) that are
/// most alike, so that one bad photograph among good ones does no harm. Numbers are positions in
/// `faces`; `threshold` is the gallery's matching threshold.
///
/// # Errors
/// Too few, not of one person, or (unless `again`) a face that `gallery` knows.
pub fn choose(
    faces: &[Face],
    gallery: &Gallery,
    threshold: f32,
    again: bool,
) -> Result<Vec<usize>, NotEnrolled> {
    let mut best: Vec<&Face> = faces.iter().collect();
    best.sort_by(|a, b| b.2.score.total_cmp(&a.2.score));
    best.truncate(MOST);
    let Some((chosen, pair)) = most_alike(&best) else {
        return Err(NotEnrolled::TooFew { found: best.len() });
    };
    let needed = threshold * PAIR;
    if pair.likeness < needed {
        let (first, second) = (pair.positions.0 + 1, pair.positions.1 + 1);
        return Err(NotEnrolled::NotOnePerson { first, second, likeness: pair.likeness, needed });
    }
    if !again {
        for (_, face, _) in chosen {
            if let Some((member, likeness)) =
                gallery.search(face).best.filter(|(_, score)| *score >= threshold)
            {
                return Err(NotEnrolled::Known { member, likeness });
            }
        }
    }
    Ok(chosen.iter().map(|(position, ..)| *position).collect())
}

/// The two least alike of some faces.
struct Pair {
    positions: (usize, usize),
    likeness: f32,
}

/// The three of `faces` whose least alike pair is most alike; `None` below three.
fn most_alike<'a>(faces: &[&'a Face]) -> Option<([&'a Face; FACES], Pair)> {
    let pair =
        |a: &Face, b: &Face| Pair { positions: (a.0.min(b.0), a.0.max(b.0)), likeness: a.1.cosine(&b.1) };
    let mut best: Option<([&Face; FACES], Pair)> = None;
    for (i, a) in faces.iter().enumerate() {
        for (j, b) in faces.iter().enumerate().skip(i + 1) {
            for c in &faces[j + 1..] {
                let pairs = [pair(a, b), pair(a, c), pair(b, c)];
                let least = pairs.into_iter().min_by(|x, y| x.likeness.total_cmp(&y.likeness))?;
                if best.as_ref().is_none_or(|(_, known)| least.likeness > known.likeness) {
                    best = Some(([*a, *b, *c], least));
                }
            }
        }
    }
    best
}

/// The templates of chosen faces.
pub fn templates(member: MemberId, model: &str, faces: &[Face], chosen: &[usize]) -> Vec<Template> {
    let template =
        |(_, embedding, _): &Face| Template { member, model: model.to_owned(), embedding: embedding.clone() };
    faces.iter().filter(|(position, ..)| chosen.contains(position)).map(template).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(position: usize, angle: f32, score: f32) -> (usize, Embedding, Quality) {
        (position, Embedding(vec![angle.cos(), angle.sin()]), Quality { score, poor: None })
    }

    fn gallery() -> Gallery {
        Gallery::new("m/1", 2)
    }

    #[test]
    fn one_bad_photograph_among_good_ones_does_no_harm() {
        let faces = [face(0, 0.0, 0.5), face(1, 1.5, 0.9), face(2, 0.2, 0.8), face(3, 0.1, 0.7)];
        let mut chosen = choose(&faces, &gallery(), 0.4, false).unwrap();
        chosen.sort_unstable();
        assert_eq!(chosen, vec![0, 2, 3]);
        assert_eq!(templates(MemberId(1), "m/1", &faces, &chosen).len(), 3);
    }

    #[test]
    fn two_are_too_few() {
        let faces = [face(0, 0.0, 0.5), face(1, 0.1, 0.9)];
        assert_eq!(choose(&faces, &gallery(), 0.4, false), Err(NotEnrolled::TooFew { found: 2 }));
    }

    #[test]
    fn faces_of_two_people_are_refused() {
        let faces = [face(0, 0.0, 0.5), face(1, 0.1, 0.9), face(2, 1.6, 0.8)];
        let refused = choose(&faces, &gallery(), 0.4, false);
        assert!(matches!(refused, Err(NotEnrolled::NotOnePerson { second: 3, .. })), "{refused:?}");
    }

    #[test]
    fn who_is_enrolled_already_is_not_enrolled_twice_by_mistake() {
        let faces = [face(0, 0.0, 0.5), face(1, 0.1, 0.9), face(2, 0.2, 0.8)];
        let mut gallery = gallery();
        let known =
            Template { member: MemberId(7), model: "m/1".into(), embedding: Embedding(vec![1.0, 0.0]) };
        gallery.add(&known).unwrap();
        let refused = choose(&faces, &gallery, 0.4, false);
        assert!(matches!(refused, Err(NotEnrolled::Known { member: MemberId(7), .. })), "{refused:?}");
        assert!(choose(&faces, &gallery, 0.4, true).is_ok());
    }
}
