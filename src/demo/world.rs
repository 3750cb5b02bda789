//! The demo's store as a whole: products, members with a year of receipts, and a cast of which the
//! first members have a face. The same seed and the same `now` give the same world.

use super::cast::{Cast, CastId};
use super::{catalogue, habit};
use crate::history::Basket;
use crate::recommend::Product;
use image::RgbImage;
use jiff::Timestamp;
use std::sync::Arc;

/// Members of the demo's store.
pub const MEMBERS: usize = 300;
/// The first so many of them have a face.
pub const WITH_FACE: usize = 40;
/// Strangers who walk through.
pub const STRANGERS: usize = 10;

/// A member of the demo's store. Has no name: screens show what the appliance calls a member.
#[derive(Debug, Clone)]
pub struct DemoMember {
    /// Plays in the scenes; `None` for members who never come before a camera.
    pub face: Option<CastId>,
    /// A year of receipts, oldest first; two for a few new members.
    pub baskets: Vec<Basket>,
}

/// The demo's store.
pub struct World {
    /// Everything it sells or sold; ids from 1 in this order.
    pub products: Vec<Product>,
    /// Its members.
    pub members: Vec<DemoMember>,
    /// Members with a face, and strangers.
    pub cast: Arc<Cast>,
}

impl World {
    /// The store under `seed`, whose last receipts lie shortly before `now`.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        let goods = catalogue::goods(seed);
        let members = (0..MEMBERS)
            .map(|i| DemoMember {
                face: (i < WITH_FACE).then_some(CastId::Member(i)),
                baskets: habit::receipts(seed, i as u64, &goods, now, i % 25 == 19),
            })
            .collect();
        let products = goods.into_iter().map(|g| g.product).collect();
        World { products, members, cast: Arc::new(Cast::new(seed, WITH_FACE, STRANGERS)) }
    }

    /// `n` photos of member number `member` for enrolment; empty if that member has no face.
    pub fn photos(&self, member: usize, n: usize) -> Vec<RgbImage> {
        let face = self.members.get(member).and_then(|m| m.face);
        face.map_or_else(Vec::new, |id| self.cast.photos(id, n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_same_seed_and_now_give_the_same_world() {
        let (a, b) = (World::new(7, now()), World::new(7, now()));
        assert_eq!(a.products, b.products);
        assert!(a.members.iter().zip(&b.members).all(|(x, y)| x.baskets == y.baskets && x.face == y.face));
    }

    #[test]
    fn receipts_are_valid_in_order_and_end_shortly_before_now() {
        let world = World::new(1, now());
        let mut few = 0;
        let mut last = Timestamp::MIN;
        for member in &world.members {
            assert!(member.baskets.windows(2).all(|w| w[0].at < w[1].at));
            few += usize::from(member.baskets.len() <= 2);
            for basket in &member.baskets {
                assert!(
                    basket.at < now()
                        && now().duration_since(basket.at) < SignedDuration::from_hours(366 * 24)
                );
                assert!(!basket.lines.is_empty());
                for line in &basket.lines {
                    let product = &world.products[line.product.0 as usize - 1];
                    assert_eq!(product.id, line.product);
                    assert!(line.quantity > 0.0 && line.unit_price > 0 && line.unit_price <= product.price.0);
                }
                last = last.max(basket.at);
            }
        }
        assert!((8..20).contains(&few), "{few} members with two receipts");
        assert!(now().duration_since(last) < SignedDuration::from_hours(48), "the last receipt is of {last}");
        let mean = world.members.iter().map(|m| m.baskets.len()).sum::<usize>() / MEMBERS;
        assert!((35..90).contains(&mean), "{mean} receipts a member");
    }

    #[test]
    fn faces_belong_to_the_first_members_and_photos_to_faces() {
        let world = World::new(1, now());
        assert!((0..WITH_FACE).all(|i| world.members[i].face == Some(CastId::Member(i))));
        assert!(world.members[WITH_FACE..].iter().all(|m| m.face.is_none()));
        assert_eq!(world.photos(2, 3).len(), 3);
        assert!(world.photos(WITH_FACE, 3).is_empty());
    }
}
