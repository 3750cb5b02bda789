//! Embedding: an aligned crop becomes a vector of length 1. Vectors are comparable only when the
//! same model made them.

use super::Embedding;
use super::align::SIDE;
use super::card::{Card, Task};
use super::detect::lay_out;
use super::network::{ModelError, Network};
use image::RgbImage;
use std::path::Path;

/// An embedder with its buffers; one per thread. Clones share the weights.
#[derive(Clone)]
pub struct Embedder {
    card: Card,
    network: Network,
}

impl Embedder {
    /// Opens the embedder of the card at `path`, or the one inside the program.
    pub fn open(path: Option<&Path>) -> Result<Embedder, ModelError> {
        let (card, network) = Network::open(path, Task::Embed)?;
        Ok(Embedder { card, network })
    }

    /// The same for a card whose network's file may lie in `weights` instead of beside it.
    pub fn open_with(card: &Path, weights: &Path) -> Result<Embedder, ModelError> {
        let (card, network) = Network::open_with(card, weights, Task::Embed)?;
        Ok(Embedder { card, network })
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The vector of an aligned 112x112 crop: the mean of its own and its mirror image's, which is
    /// steadier than either, for members and passers-by alike. The error is in the inference engine's
    /// words, or says that the network gave no direction.
    pub fn embed(&mut self, crop: &RgbImage) -> Result<Embedding, String> {
        let straight = self.pass(crop)?;
        let mirrored = self.pass(&image::imageops::flip_horizontal(crop))?;
        let sum = straight.0.iter().zip(&mirrored.0).map(|(a, b)| a + b).collect();
        Ok(Embedding::towards(sum).unwrap_or(straight))
    }

    /// One run of the network.
    fn pass(&mut self, crop: &RgbImage) -> Result<Embedding, String> {
        let card = &self.card;
        let side = SIDE as usize;
        let outputs = self.network.run(|input| lay_out(crop.as_raw(), (side, side), card, input))?;
        Embedding::towards(outputs.values(0).to_vec()).ok_or_else(|| "the embedding has no length".into())
    }
}

impl Embedding {
    /// `values` brought to length 1; `None` if they have no length or are not finite.
    pub fn towards(mut values: Vec<f32>) -> Option<Embedding> {
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        if !length.is_finite() || length < 1e-12 {
            return None;
        }
        values.iter_mut().for_each(|v| *v /= length);
        Some(Embedding(values))
    }

    /// Cosine with another vector of the same model, -1..1.
    pub fn cosine(&self, other: &Embedding) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn vectors_have_length_one_or_do_not_exist() {
        let e = Embedding::towards(vec![3.0, 4.0]).unwrap();
        assert!((e.cosine(&e) - 1.0).abs() < 1e-6);
        assert!(Embedding::towards(vec![0.0; 8]).is_none());
        assert!(Embedding::towards(vec![f32::NAN; 8]).is_none());
        assert!(!format!("{e:?}").contains("0.6"), "a face's numbers must not reach a log");
    }

    #[test]
    fn a_face_and_its_mirror_image_have_one_vector() {
        let mut embedder = Embedder::open(None).unwrap();
        let crop = RgbImage::from_fn(112, 112, |x, y| Rgb([(x * 2) as u8, (y * 2) as u8, (x * y) as u8]));
        let mirror = image::imageops::flip_horizontal(&crop);
        let (a, b) = (embedder.embed(&crop).unwrap(), embedder.embed(&mirror).unwrap());
        assert!((a.cosine(&b) - 1.0).abs() < 1e-4);
        assert_eq!(a.0.len(), embedder.card().output.dimensions);
    }
}
