//! The letters of labels: font files of this machine, opened in order until one has the letter.
//!
//! What always holds: a font stays open for one drawing only, so that ten megabytes of Chinese are in
//! memory for that moment and not for years; a file that is no font is an error in words; a letter
//! that no font has is reported and drawn as an empty box, never left out silently.

use super::settings::FontFile;
use ab_glyph::{Font, FontVec, GlyphId, PxScale, point};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest font file that is read.
const LARGEST: u64 = 64 << 20;

/// Where distributions keep fonts that labels can be read in, the best first, and which font of the
/// file. Latin, Greek and Cyrillic come before Chinese, whose files are large.
const KNOWN: [(&str, u32); 14] = [
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf", 0),
    ("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf", 0),
    ("/usr/share/fonts/TTF/DejaVuSans-Bold.ttf", 0),
    ("/usr/share/fonts/truetype/noto/NotoSans-Bold.ttf", 0),
    ("/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf", 0),
    ("/usr/share/fonts/truetype/liberation2/LiberationSans-Bold.ttf", 0),
    // third in the collection: the forms of simplified Chinese
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc", 2),
    ("/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Bold.ttc", 2),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Bold.ttc", 2),
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
];

/// Why nothing can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FontError {
    /// None of the known places has one.
    #[error("no font was found on this machine")]
    None,
    /// One that the configuration names.
    #[error("{path}: {problem}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// A letter: which of the open fonts, and which of its glyphs.
type Letter = (usize, GlyphId);

/// The fonts of one drawing.
pub struct Fonts {
    /// Not opened yet, the next one last.
    waiting: Vec<FontFile>,
    /// Whether the configuration names them; then each must be sound.
    named: bool,
    open: Vec<FontVec>,
    missing: BTreeSet<char>,
}

impl Fonts {
    /// The named fonts or, without any, those of this machine; the first one is opened.
    pub fn open(named: &[FontFile]) -> Result<Fonts, FontError> {
        let mut waiting: Vec<FontFile> = match named.is_empty() {
            false => named.to_vec(),
            true => {
                let known = KNOWN.iter().map(|(path, index)| FontFile { path: path.into(), index: *index });
                known.filter(|file| file.path.is_file()).collect()
            }
        };
        waiting.reverse();
        let mut fonts =
            Fonts { waiting, named: !named.is_empty(), open: Vec::new(), missing: BTreeSet::new() };
        if !fonts.open_next()? {
            return Err(FontError::None);
        }
        Ok(fonts)
    }

    /// Letters that were asked for and that no font has.
    pub fn missing(&self) -> &BTreeSet<char> {
        &self.missing
    }

    /// Opens one more; false when there is none.
    fn open_next(&mut self) -> Result<bool, FontError> {
        while let Some(file) = self.waiting.pop() {
            match read(&file.path, file.index) {
                Ok(font) => {
                    self.open.push(font);
                    return Ok(true);
                }
                Err(problem) if self.named => {
                    return Err(FontError::Unusable { path: file.path, problem });
                }
                // one of the machine's own: the next may do
                Err(_) => {}
            }
        }
        Ok(false)
    }

    fn letter(&mut self, c: char) -> Result<Letter, FontError> {
        let mut from = 0;
        loop {
            for (n, font) in self.open.iter().enumerate().skip(from) {
                let glyph = font.glyph_id(c);
                if glyph.0 != 0 {
                    return Ok((n, glyph));
                }
            }
            from = self.open.len();
            if !self.open_next()? {
                self.missing.insert(c);
                return Ok((0, GlyphId(0)));
            }
        }
    }

    /// What makes a font's letters `size` pixels to the em; its own height is something else.
    fn scale(&self, font: usize, size: f32) -> PxScale {
        let font = &self.open[font];
        PxScale::from(size * font.height_unscaled() / font.units_per_em().unwrap_or(1000.0))
    }

    fn unit(&self, font: usize, size: f32) -> f32 {
        size / self.open[font].units_per_em().unwrap_or(1000.0)
    }

    /// Calls `each` with every letter of a line and the place of its left edge; returns the width.
    fn along(
        &mut self,
        line: &str,
        size: f32,
        mut each: impl FnMut(&Fonts, Letter, f32),
    ) -> Result<f32, FontError> {
        let (mut x, mut before): (f32, Option<Letter>) = (0.0, None);
        for c in line.chars() {
            let letter = self.letter(c)?;
            let (font, glyph) = letter;
            let unit = self.unit(font, size);
            if let Some((same, last)) = before.filter(|(f, _)| *f == font) {
                x += self.open[same].kern_unscaled(last, glyph) * unit;
            }
            each(self, letter, x);
            x += self.open[font].h_advance_unscaled(glyph) * unit;
            before = Some(letter);
        }
        Ok(x)
    }

    /// Pixels that a line takes across.
    pub fn width(&mut self, line: &str, size: f32) -> Result<f32, FontError> {
        self.along(line, size, |_, _, _| {})
    }

    /// Draws a line from `(x, baseline)`: `ink` gets every pixel that is more than half covered.
    pub fn draw(
        &mut self,
        line: &str,
        size: f32,
        (x, baseline): (f32, f32),
        mut ink: impl FnMut(i32, i32),
    ) -> Result<(), FontError> {
        self.along(line, size, |fonts, (font, glyph), at| {
            // whole pixels: the same letter looks the same everywhere, and edges are sharp
            let place = point((x + at).round(), baseline.round());
            let glyph = glyph.with_scale_and_position(fonts.scale(font, size), place);
            let Some(outlined) = fonts.open[font].outline_glyph(glyph) else { return };
            let bounds = outlined.px_bounds();
            outlined.draw(|x, y, covered| {
                if covered > 0.5 {
                    ink(bounds.min.x as i32 + x as i32, bounds.min.y as i32 + y as i32);
                }
            });
        })?;
        Ok(())
    }
}

fn read(path: &Path, index: u32) -> Result<FontVec, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("is larger than 64 MiB".to_owned());
    }
    parse(bytes, index)
}

fn parse(bytes: Vec<u8>, index: u32) -> Result<FontVec, String> {
    let font = FontVec::try_from_vec_and_index(bytes, index)
        .map_err(|_| format!("is no TrueType or OpenType font, or has no font number {index}"))?;
    match font.units_per_em() {
        Some(em) if em > 0.0 && font.height_unscaled() > 0.0 => Ok(font),
        _ => Err("is a font without a height".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A font of this machine, if it has one.
    fn some() -> Option<PathBuf> {
        KNOWN.iter().map(|(path, _)| PathBuf::from(path)).find(|path| path.is_file())
    }

    #[test]
    fn a_named_file_that_is_no_font_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters.ttf");
        let open = || Fonts::open(&[FontFile { path: path.clone(), index: 0 }]).err().unwrap().to_string();
        assert!(open().contains("letters.ttf"), "{}", open());
        std::fs::write(&path, b"no font").unwrap();
        assert!(open().contains("no TrueType or OpenType font"), "{}", open());
    }

    #[test]
    fn a_letter_that_no_font_has_is_reported_and_still_takes_its_place() {
        let Some(path) = some() else { return eprintln!("LEFT OUT: no font is installed on this machine") };
        let mut fonts = Fonts::open(&[FontFile { path, index: 0 }]).unwrap();
        let wide = fonts.width("tea", 20.0).unwrap();
        assert!(wide > 20.0 && fonts.missing().is_empty());
        // a letter of the private area, which is nobody's
        assert!(fonts.width("tea\u{F8FE}", 20.0).unwrap() > wide);
        assert_eq!(fonts.missing().iter().collect::<Vec<_>>(), [&'\u{F8FE}']);
    }

    #[test]
    fn a_damaged_font_never_panics() {
        let Some(path) = some() else { return eprintln!("LEFT OUT: no font is installed on this machine") };
        let whole = std::fs::read(path).unwrap();
        let cases = ProptestConfig::with_cases(40);
        proptest!(cases, |(cut in 0..whole.len(), flips in prop::collection::vec((0..2048usize, any::<u8>()), 0..40))| {
            let mut bytes = whole.clone();
            for (at, byte) in flips {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            bytes.truncate(cut.max(1));
            if let Ok(font) = parse(bytes, 0) {
                let fonts = Fonts { waiting: Vec::new(), named: true, open: vec![font], missing: BTreeSet::new() };
                let mut fonts = fonts;
                let _ = fonts.draw("Tea €3", 20.0, (0.0, 20.0), |_, _| {});
            }
        });
    }
}
