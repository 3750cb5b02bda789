//! TIFUKNN (Hu et al., SIGIR 2020): baskets decay within groups and groups decay among each other
//! into one vector a member; the score mixes the member's own vector with the mean of the nearest
//! members' vectors. Nearness is the distance between vectors, so members without a product in
//! common count too.

use super::corpus::{Basket, Corpus, Visit};
use super::sparse::{Rows, Sum};

/// The parameters.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many of the nearest members count.
    pub neighbours: usize,
    /// Decay from basket to basket.
    pub within: f32,
    /// Decay from group to group.
    pub across: f32,
    /// Weight of the member's own vector; the neighbours have the rest.
    pub own: f32,
    /// Number of groups.
    pub groups: usize,
}

impl Settings {
    /// What does best on the sets that it is measured on.
    pub const TUNED: Settings = Settings { neighbours: 300, within: 0.9, across: 0.9, own: 0.1, groups: 20 };

    /// Baskets back from the last one beyond which none can weigh anything.
    fn remembered(&self) -> usize {
        if self.within < 1.0 { (NOTHING.ln() / self.within.ln()).ceil() as usize } else { usize::MAX }
    }
}

/// A weight below which a basket adds nothing.
const NOTHING: f32 = 1e-20;

/// Vectors of the members that may be neighbours.
#[derive(Debug, Clone)]
pub struct Tifu {
    settings: Settings,
    members: Vec<u32>,
    vectors: Rows,
    holders: Rows,
    squares: Vec<f32>,
}

/// Room for one query at a time.
#[derive(Debug, Clone)]
pub struct Scratch {
    dots: Sum,
    order: Vec<(f32, u32)>,
}

/// A member's vector, in order of product.
pub(super) fn vector(baskets: &[Basket], settings: Settings, sum: &mut Sum) -> Vec<(u32, f32)> {
    let n = baskets.len();
    let (group_count, base) =
        if n < settings.groups { (n, 1) } else { (settings.groups, n / settings.groups) };
    // Groups are as even as can be, the later ones one larger.
    let larger = if n < settings.groups { 0 } else { n % settings.groups };
    let mut at = 0;
    for group in 0..group_count {
        let width = base + usize::from(group >= group_count - larger);
        // After hundreds of visits a weight is nothing, and then not even a number.
        let first = at.max(n.saturating_sub(settings.remembered()));
        for (place, basket) in baskets.iter().enumerate().take(at + width).skip(first) {
            // Groups count back from the settings' number even if there are fewer of them.
            let weight = settings.across.powi((settings.groups - 1 - group) as i32)
                / (width * group_count) as f32
                * settings.within.powi((n - 1 - place) as i32);
            if weight > NOTHING {
                basket.items.iter().for_each(|item| sum.add(*item, weight));
            }
        }
        at += width;
    }
    sum.take()
}

/// The square of a vector's length as nearness uses it: who bought nothing is near nobody.
fn near_square(square: f32) -> f32 {
    if square > 0.0 { square } else { f32::INFINITY }
}

impl Tifu {
    /// With those of the corpus's members as possible neighbours.
    pub fn new(corpus: &Corpus, members: Vec<u32>, settings: Settings) -> Tifu {
        let mut sum = Sum::new(corpus.items);
        let rows = members.iter().map(|m| vector(&corpus.histories[*m as usize], settings, &mut sum));
        let vectors = Rows::new(rows);
        let squares = vectors.squares().into_iter().map(near_square).collect();
        let holders = vectors.transposed(corpus.items);
        Tifu { settings, members, vectors, holders, squares }
    }

    /// Room for queries.
    pub fn scratch(&self) -> Scratch {
        Scratch { dots: Sum::new(self.members.len()), order: Vec::new() }
    }

    /// Puts a member's vector to this; the corpus's members must all be possible neighbours.
    pub fn learn(&mut self, member: u32, vector: &[(u32, f32)]) {
        while self.members.len() <= member as usize {
            self.members.push(self.members.len() as u32);
            self.squares.push(0.0);
        }
        let (columns, values) = self.vectors.row(member as usize);
        let before: Vec<(u32, f32)> = columns.iter().copied().zip(values.iter().copied()).collect();
        self.holders.change_column(member, &before, vector);
        self.squares[member as usize] = near_square(vector.iter().map(|e| e.1 * e.1).sum());
        self.vectors.set(member as usize, vector);
    }

    /// Adds each product's score to `sum`, which must be empty.
    pub fn score(&self, visit: &Visit<'_>, scratch: &mut Scratch, sum: &mut Sum) {
        let own = vector(visit.baskets, self.settings, sum);
        self.mix(visit.member, &own, scratch, sum);
    }

    /// Adds the score of each product for one who has this vector.
    pub fn mix(&self, member: Option<u32>, own: &[(u32, f32)], scratch: &mut Scratch, sum: &mut Sum) {
        let near = self.nearest(member, own, scratch);
        self.mix_with(own, &near, sum);
    }

    /// The members nearest to one who has this vector, none of them itself, as places among the
    /// possible neighbours, in no order.
    pub fn nearest(&self, member: Option<u32>, own: &[(u32, f32)], scratch: &mut Scratch) -> Vec<u32> {
        scratch.dots.reach(self.squares.len());
        for (item, value) in own {
            scratch.dots.add_row(*value, self.holders.row(*item as usize));
        }
        let dots = scratch.dots.dense();
        scratch.order.clear();
        let distances = self.squares.iter().zip(dots).map(|(square, dot)| square - 2.0 * dot);
        let other =
            |(distance, at): &(f32, u32)| distance.is_finite() && Some(self.members[*at as usize]) != member;
        scratch.order.extend(distances.zip(0u32..).filter(other));
        scratch.dots.clear();
        let count = self.settings.neighbours.min(scratch.order.len());
        if count < scratch.order.len() {
            scratch.order.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        scratch.order[..count].iter().map(|(_, at)| *at).collect()
    }

    /// Adds the score of each product for one who has this vector and these nearest.
    pub fn mix_with(&self, own: &[(u32, f32)], near: &[u32], sum: &mut Sum) {
        let share = (1.0 - self.settings.own) / near.len().max(1) as f32;
        for (item, value) in own {
            sum.add(*item, self.settings.own * value);
        }
        for at in near {
            sum.add_row(share, self.vectors.row(*at as usize));
        }
    }

    /// What a member's own vector adds to the score of a product with this place in it.
    pub fn own(&self, value: f32) -> f32 {
        self.settings.own * value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basket(items: &[u32]) -> Basket {
        Basket { items: items.to_vec(), day: None }
    }

    #[test]
    fn later_baskets_weigh_more_and_groups_are_even() {
        let settings = Settings { neighbours: 1, within: 0.5, across: 0.1, own: 1.0, groups: 2 };
        // Three baskets in two groups: {0}, {1, 2}.
        let baskets = [basket(&[0]), basket(&[1]), basket(&[2])];
        let got = vector(&baskets, settings, &mut Sum::new(3));
        let expected = [0.1 / 2.0 * 0.25, 1.0 / 4.0 * 0.5, 1.0 / 4.0];
        for ((_, value), expected) in got.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-7, "{got:?}");
        }
    }

    #[test]
    fn the_member_itself_does_not_count_as_a_neighbour() {
        let corpus =
            Corpus { items: 2, histories: vec![vec![basket(&[0])], vec![basket(&[1])]], ..Corpus::default() };
        let settings = Settings { neighbours: 1, within: 1.0, across: 1.0, own: 0.25, groups: 1 };
        let tifu = Tifu::new(&corpus, vec![0, 1], settings);
        let visit = Visit { member: Some(0), baskets: &corpus.histories[0], day: None };
        let mut sum = Sum::new(2);
        tifu.score(&visit, &mut tifu.scratch(), &mut sum);
        assert_eq!(sum.take(), [(0, 0.25), (1, 0.75)]);
    }
}
