//! What the evidence needs of one member's baskets, drawn from them once. Kept for every member of the
//! shop, so that a question costs what the member's different products cost, however many baskets there
//! are.

use super::corpus::Basket;
use super::sparse::Sum;
use super::tifu;
use crate::profile;

/// A member's baskets in short.
#[derive(Debug, Clone, Default)]
pub struct Digest {
    /// How many baskets.
    pub baskets: u32,
    /// The products bought, in order.
    pub products: Vec<Bought>,
}

/// A product that the member bought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bought {
    /// The product.
    pub item: u32,
    /// Baskets with it.
    pub times: f32,
    /// Baskets since the last one with it; 0 if it is in the last basket.
    pub gap: u32,
    /// Its place in the member's TIFUKNN vector; 0 if it was bought hundreds of baskets ago.
    pub vector: f32,
    /// Day of the last purchase, where known.
    pub last_day: Option<f32>,
    /// Median gap between purchases in days, if there is a rhythm.
    pub every_days: Option<f32>,
}

impl Digest {
    /// Of baskets, oldest first. `sum` must be empty and have room for every product.
    pub fn new(baskets: &[Basket], sum: &mut Sum) -> Digest {
        let mut purchases: Vec<(u32, u32)> = Vec::new();
        for (place, basket) in (0u32..).zip(baskets) {
            purchases.extend(basket.items.iter().map(|item| (*item, place)));
        }
        purchases.sort_unstable();
        let vector = tifu::vector(baskets, tifu::Settings::TUNED, sum);
        let mut rest = vector.as_slice();
        let bought = |all: &[(u32, u32)]| {
            // In order of product too, but without what was bought too long ago to have a place in it.
            let vector = match rest {
                [(item, value), others @ ..] if *item == all[0].0 => {
                    rest = others;
                    *value
                }
                _ => 0.0,
            };
            let last = all[all.len() - 1].1;
            let days = all.iter().filter_map(|(_, place)| baskets[*place as usize].day);
            Bought {
                item: all[0].0,
                times: all.len() as f32,
                gap: baskets.len() as u32 - 1 - last,
                vector,
                last_day: baskets[last as usize].day,
                every_days: rhythm(days),
            }
        };
        let products = purchases.chunk_by(|a, b| a.0 == b.0).map(bought).collect();
        Digest { baskets: baskets.len() as u32, products }
    }

    /// What is known of a product.
    pub fn of(&self, item: u32) -> Option<&Bought> {
        self.place(item).map(|at| &self.products[at])
    }

    /// The place of a product among those bought.
    pub fn place(&self, item: u32) -> Option<usize> {
        self.products.binary_search_by_key(&item, |p| p.item).ok()
    }

    /// In how many baskets each product is, in order of product.
    pub fn counts(&self) -> Vec<(u32, f32)> {
        self.products.iter().map(|p| (p.item, p.times)).collect()
    }

    /// The member's TIFUKNN vector, in order of product.
    pub fn vector(&self) -> Vec<(u32, f32)> {
        self.products.iter().map(|p| (p.item, p.vector)).filter(|e| e.1 > 0.0).collect()
    }
}

fn rhythm(days: impl Iterator<Item = f32>) -> Option<f32> {
    let days: Vec<f64> = days.map(f64::from).collect();
    let now = days.last()?;
    let ago: Vec<f64> = days.iter().map(|d| now - d).collect();
    profile::rhythm(&ago).map(|every| every as f32)
}

impl Bought {
    /// How due the product is on this day, 0..1; 0 without a rhythm or without days.
    pub fn due(&self, day: Option<f32>) -> f32 {
        match (self.last_day, self.every_days, day) {
            (Some(last), Some(every), Some(day)) => {
                profile::due(f64::from((day - last).max(0.0)), f64::from(every)) as f32
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_bought_hundreds_of_baskets_ago_is_still_known_and_mixes_nothing_up() {
        let basket = |items: &[u32]| Basket { items: items.to_vec(), day: None };
        let mut baskets = vec![basket(&[0, 5]), basket(&[2])];
        baskets.extend((0..600).map(|_| basket(&[1, 3])));
        let digest = Digest::new(&baskets, &mut Sum::new(6));
        assert_eq!(digest.counts(), [(0, 1.0), (1, 600.0), (2, 1.0), (3, 600.0), (5, 1.0)]);
        assert_eq!(digest.vector().iter().map(|e| e.0).collect::<Vec<_>>(), [1, 3]);
        let (one, three) = (digest.of(1).unwrap(), digest.of(3).unwrap());
        assert!(one.vector == three.vector && one.vector > 0.0 && digest.of(5).unwrap().vector == 0.0);
        assert_eq!(digest.of(0).unwrap().gap, 601);
    }

    #[test]
    fn a_digest_tells_times_gaps_and_rhythm() {
        let basket = |day: f32, items: &[u32]| Basket { items: items.to_vec(), day: Some(day) };
        let baskets = [basket(0.0, &[3, 1]), basket(9.0, &[3]), basket(18.0, &[3, 7]), basket(20.0, &[7])];
        let digest = Digest::new(&baskets, &mut Sum::new(8));
        assert_eq!(digest.counts(), [(1, 1.0), (3, 3.0), (7, 2.0)]);
        let three = digest.of(3).unwrap();
        assert_eq!((three.gap, three.last_day, three.every_days), (1, Some(18.0), Some(9.0)));
        assert_eq!((three.due(Some(27.0)), three.due(None)), (1.0, 0.0));
        assert!(three.due(Some(19.0)) < 0.1);
        assert_eq!(digest.of(7).unwrap().every_days, None);
        assert!(digest.of(7).unwrap().vector > digest.of(1).unwrap().vector);
    }
}
