//! Photographs in a folder or a zip, read one at a time, in the order of their names.

use anyhow::{Context, bail};
use image::RgbImage;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

/// Largest photograph that is read, in bytes and in pixels a side.
const FILE_LIMIT: u64 = 32 * 1024 * 1024;
const SIDE_LIMIT: u32 = 8192;

/// Where photographs come from.
pub struct Photographs {
    place: Place,
    /// Names with `/` between folder and file, sorted.
    pub names: Vec<String>,
}

enum Place {
    Zip(Box<zip::ZipArchive<File>>),
    Folder(PathBuf),
}

impl Photographs {
    /// Lists the photographs of a zip or of a folder and its folders.
    pub fn open(path: &Path) -> anyhow::Result<Photographs> {
        let mut names = Vec::new();
        let place = if path.is_dir() {
            list(path, "", &mut names, 0)?;
            Place::Folder(path.to_owned())
        } else {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let archive = zip::ZipArchive::new(file)
                .with_context(|| format!("{} is neither a folder nor a zip", path.display()))?;
            names.extend(archive.file_names().map(str::to_owned));
            Place::Zip(Box::new(archive))
        };
        let picture = |name: &String| {
            let lower = name.to_lowercase();
            [".jpg", ".jpeg", ".png"].iter().any(|end| lower.ends_with(end))
        };
        names.retain(picture);
        names.sort();
        if names.is_empty() {
            bail!("{} holds no .jpg, .jpeg or .png", path.display());
        }
        Ok(Photographs { place, names })
    }

    /// Whether there is a file of this name beside the photographs.
    pub fn holds(&self, name: &str) -> bool {
        match &self.place {
            Place::Zip(archive) => archive.index_for_name(name).is_some(),
            Place::Folder(folder) => folder.join(name).is_file(),
        }
    }

    /// The bytes of a file beside the photographs.
    pub fn bytes(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &mut self.place {
            Place::Zip(archive) => {
                let file = archive.by_name(name).with_context(|| format!("{name} is not in the zip"))?;
                file.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
            }
            Place::Folder(folder) => {
                let path = folder.join(name);
                let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
                file.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
            }
        }
        if bytes.len() as u64 > FILE_LIMIT {
            bail!("{name} is larger than {FILE_LIMIT} bytes");
        }
        Ok(bytes)
    }

    /// A photograph, decoded.
    pub fn read(&mut self, name: &str) -> anyhow::Result<RgbImage> {
        let bytes = self.bytes(name)?;
        let mut reader = image::ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?;
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(SIDE_LIMIT);
        limits.max_image_height = Some(SIDE_LIMIT);
        reader.limits(limits);
        Ok(reader.decode().with_context(|| format!("{name} is not a photograph"))?.into_rgb8())
    }
}

fn list(folder: &Path, prefix: &str, names: &mut Vec<String>, depth: usize) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if !entry.file_type()?.is_dir() {
            names.push(name);
        } else if depth < 3 {
            list(&entry.path(), &format!("{name}/"), names, depth + 1)?;
        }
    }
    Ok(())
}
