//! Models by others to measure beside ours. Their cards are in `models/references`, their weights
//! are nobody's to give away here: where the file that a card names is missing, that model is left
//! out in words and everything else goes on.

use crate::vision::card::{CARD_LIMIT, Card, Task};
use anyhow::Context;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where models by others are.
#[derive(Debug, Clone, clap::Args)]
pub struct References {
    /// Folder with the cards of models by others.
    #[arg(long, value_name = "DIR", default_value = "models/references")]
    pub references: PathBuf,
    /// Folder with the networks of models by others, where they are not beside their cards.
    #[arg(long, value_name = "DIR", default_value = "../shared/data/models")]
    pub weights: PathBuf,
}

/// Which models by others are measured in the same run.
#[derive(Debug, Clone, clap::Args)]
pub struct Peers {
    /// Card of a model to measure beside [may be repeated; default: the cards in --references whose
    /// networks are found].
    #[arg(long = "peer", value_name = "CARD.toml")]
    pub cards: Vec<PathBuf>,
    /// Measure no model by others.
    #[arg(long, conflicts_with = "cards")]
    pub no_peers: bool,
    /// Where they are.
    #[command(flatten)]
    pub references: References,
}

impl Peers {
    /// Paths of the cards to measure beside ours.
    pub fn chosen(&self, task: Task) -> anyhow::Result<Vec<PathBuf>> {
        if self.no_peers {
            return Ok(Vec::new());
        }
        if !self.cards.is_empty() {
            return Ok(self.cards.clone());
        }
        Ok(self.references.found(task)?.into_iter().map(|(path, _)| path).collect())
    }
}

impl References {
    /// The cards of a task whose networks are found, those with the largest input first, then by
    /// name. What is left out is said on standard error.
    pub fn found(&self, task: Task) -> anyhow::Result<Vec<(PathBuf, Card)>> {
        let Ok(entries) = std::fs::read_dir(&self.references) else {
            eprintln!("left out: no cards of models by others in {}", self.references.display());
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|end| end != "toml") {
                continue;
            }
            let card = read(&path)?;
            if card.task != task {
                continue;
            }
            if self.network(&path, &card).is_none() {
                let (name, file, folder) = (&card.name, &card.file, self.weights.display());
                eprintln!(
                    "left out: {name}, for its network {file} is neither beside its card nor in {folder}"
                );
                continue;
            }
            found.push((path, card));
        }
        let area = |card: &Card| card.input.shape.iter().product::<usize>();
        found.sort_by(|(a, x), (b, y)| area(y).cmp(&area(x)).then(a.cmp(b)));
        Ok(found)
    }

    /// The network that a card names: beside it, or in the folder of weights.
    pub fn network(&self, card_path: &Path, card: &Card) -> Option<PathBuf> {
        [card_path.with_file_name(&card.file), self.weights.join(&card.file)]
            .into_iter()
            .find(|p| p.is_file())
    }
}

/// Reads a card.
pub fn read(path: &Path) -> anyhow::Result<Card> {
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(CARD_LIMIT)
        .read_to_string(&mut text)
        .with_context(|| format!("{} is not a card", path.display()))?;
    Card::parse(&text).map_err(|e| anyhow::anyhow!("{} is not a card: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_in_the_repository_is_one_and_missing_networks_are_left_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/references");
        let mut cards = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let card = read(&entry.unwrap().path()).unwrap();
            assert!(card.golden.is_some() && !card.licence.is_empty(), "{}", card.name);
            cards += 1;
        }
        assert!(cards >= 5);
        let nowhere = References { references: folder, weights: "/nowhere".into() };
        assert!(nowhere.found(Task::Detect).unwrap().is_empty());
    }
}
