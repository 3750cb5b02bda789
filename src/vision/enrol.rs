//! Enrolment: one photograph becomes one embedding, if it shows one good face. Stricter than
//! matching: a template is compared for years.

use super::align;
use super::eyes::Eyes;
use super::quality;
use super::{Detection, Embedding, Poor, Quality};
use image::RgbImage;

/// A second face counts when its width is at least this share of the largest one's.
const RIVAL: f32 = 0.55;
/// Margin added around a picture that a face may fill, as a share of its longer side.
const MARGIN: f32 = 0.5;

/// Why a photograph gives no template.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnrolError {
    /// No face was found.
    #[error("no face was found: use a photograph of one face, looking at the camera")]
    NoFace,
    /// It is not clear whose photograph this is.
    #[error("{0} faces of similar size were found: use a photograph of one person alone")]
    SeveralFaces(usize),
    /// The face is not good enough to be compared for years.
    #[error("{}", poor_words(*.0))]
    Poor(Poor),
    /// The network failed.
    #[error("the model failed on this photograph: {0}")]
    Model(String),
}

fn poor_words(poor: Poor) -> &'static str {
    match poor {
        Poor::TooSmall => "the face is too small in the photograph: come closer or cut the picture less",
        Poor::Blurred => "the face is blurred: hold still, clean the lens, or use a sharper photograph",
        Poor::Turned => "the face is turned or tilted too far: look straight at the camera",
        Poor::BadLight => "the face is too dark, too bright or without contrast: use more even light",
        Poor::Cut => "the face is cut by the edge of the photograph: show the whole face",
    }
}

impl Eyes {
    /// The embedding of the one face in a photograph and its quality. Pictures that a face fills, from about 112x112, are taken too.
    pub fn enrol(&mut self, photograph: &RgbImage) -> Result<(Embedding, Quality), EnrolError> {
        let faces = self.faces(photograph)?;
        let face = only_face(&faces)?;
        let crop = align::crop(photograph, &face.landmarks).ok_or(EnrolError::NoFace)?;
        let size = photograph.dimensions();
        let (min_face, min_quality) = (self.settings.min_face, self.settings.min_quality);
        let quality = quality::judge(face, size, Some(&crop), min_face, min_quality);
        if let Some(poor) = quality.poor {
            return Err(EnrolError::Poor(poor));
        }
        let embedding = self.embedder.embed(&crop).map_err(EnrolError::Model)?;
        Ok((embedding, quality))
    }

    /// The vector of an aligned crop.
    pub fn embed_crop(&mut self, crop: &RgbImage) -> Result<Embedding, String> {
        self.embedder.embed(crop)
    }

    /// Faces of a photograph, in its pixels; if there is none as it stands, with a margin around it.
    pub fn faces(&mut self, photograph: &RgbImage) -> Result<Vec<Detection>, EnrolError> {
        let found = self.detector.detect(photograph).map_err(EnrolError::Model)?;
        if !found.faces.is_empty() || photograph.width() == 0 || photograph.height() == 0 {
            return Ok(found.faces);
        }
        let margin = (photograph.width().max(photograph.height()) as f32 * MARGIN) as u32;
        let (w, h) = (photograph.width() + 2 * margin, photograph.height() + 2 * margin);
        let mut framed = RgbImage::from_pixel(w, h, image::Rgb([96, 96, 96]));
        image::imageops::replace(&mut framed, photograph, margin as i64, margin as i64);
        let mut faces = self.detector.detect(&framed).map_err(EnrolError::Model)?.faces;
        let shift = margin as f32;
        for face in &mut faces {
            face.bbox.x -= shift;
            face.bbox.y -= shift;
            face.landmarks = face.landmarks.map(|[x, y]| [x - shift, y - shift]);
        }
        Ok(faces)
    }
}

/// The largest face, unless another is of similar size.
fn only_face(faces: &[Detection]) -> Result<&Detection, EnrolError> {
    let largest = faces.iter().max_by(|a, b| a.bbox.w.total_cmp(&b.bbox.w)).ok_or(EnrolError::NoFace)?;
    let similar = faces.iter().filter(|f| f.bbox.w >= RIVAL * largest.bbox.w).count();
    if similar > 1 { Err(EnrolError::SeveralFaces(similar)) } else { Ok(largest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Rect;
    use crate::vision::settings::VisionSettings;

    fn face(w: f32) -> Detection {
        Detection { bbox: Rect { x: 0.0, y: 0.0, w, h: w }, landmarks: [[0.0; 2]; 5], score: 0.9 }
    }

    #[test]
    fn it_must_be_clear_whose_face_it_is() {
        assert_eq!(only_face(&[]), Err(EnrolError::NoFace));
        assert_eq!(only_face(&[face(50.0), face(100.0)]).map(|f| f.bbox.w), Ok(100.0));
        assert_eq!(only_face(&[face(90.0), face(100.0)]), Err(EnrolError::SeveralFaces(2)));
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for poor in [Poor::TooSmall, Poor::Blurred, Poor::Turned, Poor::BadLight, Poor::Cut] {
            assert!(EnrolError::Poor(poor).to_string().contains(": "));
        }
    }

    #[test]
    fn a_wall_is_no_face() {
        let settings = VisionSettings { detector_threshold: Some(0.9), ..VisionSettings::default() };
        let mut eyes = Eyes::load(&settings).unwrap();
        for (w, h) in [(0, 0), (1, 1), (320, 240)] {
            assert_eq!(eyes.enrol(&RgbImage::new(w, h)), Err(EnrolError::NoFace));
        }
    }
}
