//! Templates of members and the search among them: open set, so the honest answer is often
//! "nobody". Holds nothing but what members consented to.

use crate::id::MemberId;
use crate::vision::Embedding;

/// An embedding kept for a member, remembering the model that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Whose.
    pub member: MemberId,
    /// Name and version of the embedder's card, e.g. `shopguide-embedder/1`.
    pub model: String,
    /// Length 1.
    pub embedding: Embedding,
}

/// The result of one search: the best member and the best of any other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Who scores highest, and the cosine.
    pub best: Option<(MemberId, f32)>,
    /// The highest cosine among all other members (-1 if there is none).
    pub second: f32,
}
