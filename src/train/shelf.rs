//! Where models lie: a folder with `<id>.safetensors` and its card `<id>.toml` for each, a file `live`
//! that names those that were made live, the present one last, and what training keeps in between.
//!
//! What always holds:
//! - an id is the beginning of its file's BLAKE3, so the same model has the same id;
//! - a file is whole or not there: it is written under another name, flushed and renamed, and the
//!   folder is flushed before anything says "done";
//! - what is damaged or of another kind is refused in words, and nothing that was live before is touched;
//! - the present model and those before it that can be gone back to are kept, [`KEPT`] in all.

use super::card::Card;
use crate::id::ProductId;
use crate::recommend::ranker::model::Learned;
use crate::recommend::ranker::tensors::{TensorError, Tensors};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Models that stay for rolling back, the live one included.
const KEPT: usize = 5;
/// The name of the tensor that holds the products' ids.
const PRODUCTS: &str = "products";
/// The largest file that is read: 1 GiB.
const LARGEST: u64 = 1 << 30;

/// Why a model cannot be kept or had.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The disk.
    #[error("cannot {doing} {}: {cause}; the model at work stays as it is", file.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        file: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A file that is not what it should be.
    #[error(
        "{} is damaged or not a model of this program: {what}; take another with `shopguide train --roll-back`, \
         or train anew with `shopguide train --force`", file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No such model.
    #[error("there is no model {0:?}; `shopguide train --list` shows those there are")]
    Unknown(String),
}

/// A model with all that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shelved {
    /// Its name.
    pub id: String,
    /// What is known of it.
    pub card: Card,
    /// What was learned.
    pub learned: Learned,
    /// Its products, by number and in order of id.
    pub products: Vec<ProductId>,
}

/// A model's line in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its name.
    pub id: String,
    /// What is known of it, if its card can be read.
    pub card: Option<Card>,
    /// Whether it is the live one.
    pub live: bool,
}

/// The folder of models. Cheap; reads the disk at each call.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The shelf in this folder, which is made when something is put there.
    pub fn new(folder: &Path) -> Shelf {
        Shelf { folder: folder.to_owned() }
    }

    /// The shelf of a store whose data is in this folder.
    pub fn of_store(folder: &Path) -> Shelf {
        Shelf::new(&folder.join("ranker"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.safetensors"))
    }

    fn card_file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.toml"))
    }

    /// Those that were live, the present one last.
    fn history(&self) -> Result<Vec<String>, ShelfError> {
        let file = self.folder.join("live");
        let text = match read(&file) {
            Ok(bytes) => bytes,
            Err(ShelfError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let ids: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
        match ids.iter().find(|id| !is_id(id)) {
            Some(id) => Err(ShelfError::Damaged { file, what: format!("{id:?} is no model's name") }),
            None => Ok(ids),
        }
    }

    /// The name of the live model: one small file is read.
    pub fn live_id(&self) -> Result<Option<String>, ShelfError> {
        Ok(self.history()?.pop())
    }

    /// The live model; `None` if there never was one.
    pub fn live(&self) -> Result<Option<Shelved>, ShelfError> {
        self.live_id()?.map(|id| self.get(&id)).transpose()
    }

    /// The live model or, where that cannot be read, the one before it that can, and why the others
    /// could not.
    pub fn last_good(&self) -> (Option<Shelved>, Vec<ShelfError>) {
        let mut refused = Vec::new();
        let history = self.history().unwrap_or_else(|error| {
            refused.push(error);
            Vec::new()
        });
        for id in history.iter().rev() {
            match self.get(id) {
                Ok(model) => return (Some(model), refused),
                Err(error) => refused.push(error),
            }
        }
        (None, refused)
    }

    /// A model, checked against its card.
    pub fn get(&self, id: &str) -> Result<Shelved, ShelfError> {
        let (file, card_file) = (self.file(id), self.card_file(id));
        if !is_id(id) || !file.exists() {
            return Err(ShelfError::Unknown(id.to_owned()));
        }
        let damaged = |what: String| ShelfError::Damaged { file: file.clone(), what };
        let card = read(&card_file)?;
        let card = Card::from_toml(&String::from_utf8_lossy(&card))
            .map_err(|e| ShelfError::Damaged { file: card_file, what: e.to_string() })?;
        let bytes = read(&file)?;
        if !card.belongs_to(&bytes) {
            return Err(damaged("its bytes are not those that its card was written for".into()));
        }
        let (learned, products) = parse(&bytes).map_err(|e| damaged(e.to_string()))?;
        Ok(Shelved { id: id.to_owned(), card, learned, products })
    }

    /// Puts a model on the shelf without making it live. Gives its name.
    pub fn put(&self, learned: &Learned, products: &[ProductId], card: Card) -> Result<String, ShelfError> {
        let mut tensors = learned.to_tensors();
        tensors.put_whole(PRODUCTS, products.iter().map(|p| p.0).collect());
        let bytes = tensors.to_bytes();
        let card = card.of(&bytes);
        let id = card.blake3[..16].to_owned();
        let damaged = |what: String| ShelfError::Damaged { file: self.file(&id), what };
        parse(&bytes).map_err(|e| damaged(e.to_string()))?;
        let text = card.to_toml().map_err(|e| damaged(e.to_string()))?;
        self.write(&self.file(&id), &bytes)?;
        self.write(&self.card_file(&id), text.as_bytes())?;
        Ok(id)
    }

    /// Makes a model live; it is read first, so that one that cannot be never is.
    pub fn make_live(&self, id: &str) -> Result<(), ShelfError> {
        self.get(id)?;
        let mut history = self.history()?;
        history.retain(|before| before != id);
        history.push(id.to_owned());
        history.drain(..history.len().saturating_sub(KEPT));
        self.write(&self.folder.join("live"), lines(&history).as_bytes())?;
        self.tidy(&history);
        Ok(())
    }

    /// Removes the models that nothing goes back to, and what was being written when the power went.
    fn tidy(&self, history: &[String]) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some((id, "safetensors" | "toml" | "part" | "safetensors.part" | "toml.part")) =
                name.to_str().and_then(|n| n.split_once('.'))
            else {
                continue;
            };
            if !history.iter().any(|kept| kept == id) {
                // What stays lying costs room, nothing else.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Makes the model before the live one live again. Gives its name; `None` if there is none, and
    /// then nothing changes.
    pub fn roll_back(&self) -> Result<Option<String>, ShelfError> {
        let mut history = self.history()?;
        history.pop();
        while let Some(id) = history.last() {
            if self.get(id).is_ok() {
                self.write(&self.folder.join("live"), lines(&history).as_bytes())?;
                return Ok(Some(id.clone()));
            }
            history.pop();
        }
        Ok(None)
    }

    /// All models, the newest first.
    pub fn list(&self) -> Result<Vec<Listed>, ShelfError> {
        let live = self.live_id()?;
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(ShelfError::Io { doing: "read", file: self.folder.clone(), cause }),
        };
        let names = entries.filter_map(|e| e.ok()?.file_name().into_string().ok());
        let ids = names.filter_map(|n| n.strip_suffix(".safetensors").map(str::to_owned));
        let mut all: Vec<Listed> = ids
            .filter(|id| is_id(id))
            .map(|id| {
                let text = read(&self.card_file(&id)).ok();
                let card = text.and_then(|t| Card::from_toml(&String::from_utf8_lossy(&t)).ok());
                Listed { live: live.as_ref() == Some(&id), id, card }
            })
            .collect();
        all.sort_by_key(|m| (std::cmp::Reverse(m.card.as_ref().map(|c| c.trained)), m.id.clone()));
        Ok(all)
    }

    /// What training keeps between two epochs, if anything.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, ShelfError> {
        self.read_if_there("checkpoint")
    }

    /// A file of the folder, if it exists.
    pub(super) fn read_if_there(&self, name: &str) -> Result<Option<Vec<u8>>, ShelfError> {
        match read(&self.folder.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ShelfError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps it.
    pub fn keep_checkpoint(&self, bytes: &[u8]) -> Result<(), ShelfError> {
        self.write(&self.folder.join("checkpoint"), bytes)
    }

    /// Removes it.
    pub fn drop_checkpoint(&self) {
        // One that stays is of receipts that were learned, and is not resumed from.
        let _ = fs::remove_file(self.folder.join("checkpoint"));
    }

    pub(super) fn write(&self, file: &Path, bytes: &[u8]) -> Result<(), ShelfError> {
        let io = |doing| move |cause| ShelfError::Io { doing, file: file.to_owned(), cause };
        fs::create_dir_all(&self.folder).map_err(io("make the folder of"))?;
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let written = File::create(&part).and_then(|mut out| {
            out.write_all(bytes)?;
            out.sync_all()
        });
        if let Err(cause) = written {
            let _ = fs::remove_file(&part);
            return Err(io("write")(cause));
        }
        fs::rename(&part, file).map_err(io("name"))?;
        File::open(&self.folder).and_then(|f| f.sync_all()).map_err(io("flush the folder of"))
    }
}

fn lines(ids: &[String]) -> String {
    ids.iter().map(|id| format!("{id}\n")).collect()
}

fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn read(file: &Path) -> Result<Vec<u8>, ShelfError> {
    let io = |cause| ShelfError::Io { doing: "read", file: file.to_owned(), cause };
    if fs::metadata(file).map_err(io)?.len() > LARGEST {
        return Err(ShelfError::Damaged { file: file.to_owned(), what: "it is larger than 1 GiB".into() });
    }
    fs::read(file).map_err(io)
}

/// A model file: what was learned, and for which products.
fn parse(bytes: &[u8]) -> Result<(Learned, Vec<ProductId>), TensorError> {
    let tensors = Tensors::from_bytes(bytes)?;
    let learned = Learned::from_tensors(&tensors)?;
    let items = learned.table.values.len() / learned.table.columns.max(1);
    let products: Vec<ProductId> = tensors.whole(PRODUCTS, items)?.iter().map(|p| ProductId(*p)).collect();
    if !products.is_sorted_by(|a, b| a < b) {
        return Err(TensorError::Tensor(PRODUCTS.to_owned(), "not in order, or one twice"));
    }
    Ok((learned, products))
}

#[cfg(test)]
mod tests;
