//! A store-level slate as the picture of a label: how its products are laid out, in which type sizes,
//! where lines break. Black and white, and at most one more colour, each pixel pure: the access point
//! needs to guess nothing.
//!
//! Pure but for the fonts, which are read. What always holds: the same slate gives the same picture;
//! nothing is cut: a text that has no room even in the smallest type ends in an ellipsis.

use super::font::{FontError, Fonts};
use super::settings::LabelSettings;
use crate::display::StoreSettings;
use crate::recommend::{Slate, Suggestion};
use image::{Rgb, RgbImage};

const BLACK: [u8; 3] = [0, 0, 0];
const WHITE: [u8; 3] = [255, 255, 255];
/// A product gets at least this much room, in pixels; of more products only the first are drawn.
const LEAST: (u32, u32) = (180, 88);
/// Labels so high have a line with the slate's greeting at their top.
const WITH_HEAD: u32 = 240;
/// The smallest type that can be read on paper, in pixels.
const SMALLEST: f32 = 11.0;
/// From one line's baseline to the next, in type sizes.
const LEADING: f32 = 1.16;
/// What must not begin a line.
const NOT_FIRST: &str = "、。，．！？；：）」』】》’”%,.!?;:)]}";

/// Draws `slate` for a label. `title` stands where there is no product to show.
pub fn draw(
    slate: &Slate,
    title: &str,
    label: &LabelSettings,
    store: &StoreSettings,
    fonts: &mut Fonts,
) -> Result<RgbImage, FontError> {
    let mut page = Page {
        image: RgbImage::from_pixel(label.width, label.height, Rgb(WHITE)),
        accent: label.colours.accent(),
        fonts,
    };
    let whole = Area { x: 0, y: 0, w: label.width, h: label.height };
    if slate.items.is_empty() {
        page.middle(title, whole.inside(whole.h / 12))?;
        return Ok(page.image);
    }
    let (head, body) = whole.split(if whole.h >= WITH_HEAD { whole.h / 11 } else { 0 });
    if head.h > 0 {
        page.fill(head, BLACK);
        let greeting = slate.greeting.as_deref().unwrap_or(title);
        page.line(greeting, head.inside(head.h / 5), WHITE)?;
    }
    let (columns, rows) = grid(body.w, body.h, slate.items.len() as u32);
    for (n, item) in (0..columns * rows).zip(&slate.items) {
        let (column, row) = (n % columns, n / columns);
        let cell = Area {
            x: body.w * column / columns,
            y: body.y + body.h * row / rows,
            w: body.w / columns,
            h: body.h / rows,
        };
        if column > 0 {
            page.fill(Area { w: 1, ..cell }, BLACK);
        }
        if row > 0 {
            page.fill(Area { h: 1, ..cell }, BLACK);
        }
        page.product(item, &store.price(item.price), cell)?;
    }
    Ok(page.image)
}

/// Columns and rows for as many of `items` products as have room; of arrangements of the same number,
/// the one whose cells are nearest to a label's usual shape.
fn grid(width: u32, height: u32, items: u32) -> (u32, u32) {
    let shape = |columns: u32, rows: u32| {
        let ratio = f64::from(width * rows) / f64::from(height * columns);
        (ratio / 2.2).ln().abs()
    };
    for shown in (2..=items.min(12)).rev() {
        let fits = |columns: &u32| {
            shown.is_multiple_of(*columns)
                && width / columns >= LEAST.0
                && height * columns / shown >= LEAST.1
        };
        let best = (1..=shown).filter(fits).map(|columns| (columns, shown / columns));
        if let Some(best) = best.min_by(|a, b| shape(a.0, a.1).total_cmp(&shape(b.0, b.1))) {
            return best;
        }
    }
    (1, 1)
}

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy)]
struct Area {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

impl Area {
    /// Without a margin of so many pixels.
    fn inside(self, margin: u32) -> Area {
        let (x, y) = (margin.min(self.w / 3), margin.min(self.h / 3));
        Area { x: self.x + x, y: self.y + y, w: self.w - 2 * x, h: self.h - 2 * y }
    }

    /// The upper `height` pixels, and the rest.
    fn split(self, height: u32) -> (Area, Area) {
        let height = height.min(self.h);
        (Area { h: height, ..self }, Area { y: self.y + height, h: self.h - height, ..self })
    }

    /// All but the lower `height` pixels, and these.
    fn split_below(self, height: u32) -> (Area, Area) {
        self.split(self.h.saturating_sub(height))
    }
}

/// A text broken into lines.
struct Block {
    size: f32,
    lines: Vec<String>,
}

impl Block {
    fn height(&self) -> f32 {
        self.size * LEADING * self.lines.len() as f32
    }
}

struct Page<'f> {
    image: RgbImage,
    accent: [u8; 3],
    fonts: &'f mut Fonts,
}

impl Page<'_> {
    fn fill(&mut self, area: Area, colour: [u8; 3]) {
        for y in area.y..(area.y + area.h).min(self.image.height()) {
            for x in area.x..(area.x + area.w).min(self.image.width()) {
                self.image.put_pixel(x, y, Rgb(colour));
            }
        }
    }

    fn write(&mut self, line: &str, size: f32, at: (f32, f32), colour: [u8; 3]) -> Result<(), FontError> {
        let image = &mut self.image;
        self.fonts.draw(line, size, at, |x, y| {
            if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
                && let Some(pixel) = image.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb(colour);
            }
        })
    }

    /// One product: its name, its price and place, and why.
    fn product(&mut self, item: &Suggestion, price: &str, cell: Area) -> Result<(), FontError> {
        let area = cell.inside((cell.w.min(cell.h) / 18).max(5));
        let height = area.h as f32;

        let size = |share: f32, most: f32| (height * share).clamp(SMALLEST, most);
        let reason = self.fit(&item.reason_text, area.w, height * 0.32, size(0.135, 26.0), 2)?;
        let (above, below) = area.split_below(reason.height().ceil() as u32 + 3);
        self.fill(Area { y: below.y.saturating_sub(2), h: 1, ..below }, BLACK);
        self.block(&reason, below, BLACK)?;

        let price_size = size(0.27, 72.0);
        let (name_area, facts) = above.split_below((price_size * 1.14).ceil() as u32 + 3);
        let baseline = (facts.y + facts.h) as f32 - price_size * 0.24;
        self.write(price, price_size, (facts.x as f32, baseline), self.accent)?;
        if let Some(place) = &item.place {
            let left = facts.w as f32 - self.fonts.width(price, price_size)? - price_size * 0.5;
            let size = size(0.13, 28.0);
            if left > size * 3.0 {
                let place = self.shortened(place, size, left)?;
                let wide = self.fonts.width(&place, size)?;
                let x = (facts.x + facts.w) as f32 - wide - 1.0;
                self.write(&place, size, (x, baseline), BLACK)?;
            }
        }

        let name = self.fit(&item.name, name_area.w, name_area.h as f32, size(0.24, 64.0), 3)?;
        self.block(&name, name_area, BLACK)
    }

    fn block(&mut self, block: &Block, area: Area, colour: [u8; 3]) -> Result<(), FontError> {
        for (n, line) in block.lines.iter().enumerate() {
            let baseline = area.y as f32 + block.size * (0.92 + LEADING * n as f32);
            self.write(line, block.size, (area.x as f32, baseline), colour)?;
        }
        Ok(())
    }

    /// One line as high as `area`, shortened if need be.
    fn line(&mut self, text: &str, area: Area, colour: [u8; 3]) -> Result<(), FontError> {
        let size = area.h as f32;
        let text = self.shortened(text, size, area.w as f32)?;
        self.write(&text, size, (area.x as f32, (area.y + area.h) as f32 - size * 0.14), colour)
    }

    /// A text in the middle, as large as it goes.
    fn middle(&mut self, text: &str, area: Area) -> Result<(), FontError> {
        let block = self.fit(text, area.w, area.h as f32, area.h as f32 / 3.0, 3)?;
        let mut y = area.y as f32 + (area.h as f32 - block.height()) / 2.0;
        for line in &block.lines {
            let wide = self.fonts.width(line, block.size)?;
            let x = area.x as f32 + (area.w as f32 - wide) / 2.0;
            self.write(line, block.size, (x, y + block.size * 0.92), BLACK)?;
            y += block.size * LEADING;
        }
        Ok(())
    }

    /// The text in the largest type, from `size` down, in which it has room; as a last resort it ends
    /// in an ellipsis.
    fn fit(
        &mut self,
        text: &str,
        width: u32,
        height: f32,
        size: f32,
        most: usize,
    ) -> Result<Block, FontError> {
        let mut size = size.max(SMALLEST);
        loop {
            let lines = self.broken(text, size, width as f32)?;
            let block = Block { size, lines };
            if block.lines.len() <= most && block.height() <= height {
                return Ok(block);
            }
            if size <= SMALLEST {
                let room = ((height / (size * LEADING)) as usize).clamp(1, most);
                let mut lines = block.lines;
                let over = lines.split_off(room.min(lines.len()));
                if let Some(last) = lines.pop() {
                    let rest = std::iter::once(last).chain(over).collect::<Vec<_>>().join(" ");
                    lines.push(self.shortened(&rest, size, width as f32)?);
                }
                return Ok(Block { size, lines });
            }
            size = (size * 0.93).max(SMALLEST);
        }
    }

    /// The text, or as much of it as there is room for and an ellipsis.
    fn shortened(&mut self, text: &str, size: f32, width: f32) -> Result<String, FontError> {
        if self.fonts.width(text, size)? <= width {
            return Ok(text.to_owned());
        }
        let mut kept: Vec<char> = text.chars().collect();
        while kept.pop().is_some() {
            let shorter = kept.iter().collect::<String>().trim_end().to_owned() + "…";
            if self.fonts.width(&shorter, size)? <= width {
                return Ok(shorter);
            }
        }
        Ok(String::new())
    }

    /// The text in lines of at most `width` pixels, broken between words, between Chinese letters, and
    /// inside a word only where it has no room on a line of its own.
    fn broken(&mut self, text: &str, size: f32, width: f32) -> Result<Vec<String>, FontError> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for piece in pieces(text) {
            let longer = format!("{line}{piece}");
            if self.fonts.width(longer.trim_end(), size)? <= width {
                line = longer;
                continue;
            }
            if !line.trim().is_empty() {
                lines.push(std::mem::take(&mut line).trim().to_owned());
            }
            line.clear();
            for c in piece.trim_start().chars() {
                line.push(c);
                if self.fonts.width(line.trim_end(), size)? > width && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, c.to_string()));
                }
            }
        }
        if !line.trim().is_empty() {
            lines.push(line.trim().to_owned());
        }
        Ok(lines)
    }
}

/// The parts of a text between which a line may break.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut breaks = true;
    for c in text.chars() {
        let alone = is_ideograph(c);
        if (breaks || alone) && !NOT_FIRST.contains(c) || pieces.is_empty() {
            pieces.push(String::new());
        }
        if let Some(last) = pieces.last_mut() {
            last.push(c);
        }
        breaks = alone || c.is_whitespace() || NOT_FIRST.contains(c) && !c.is_ascii() || c == '-' || c == '/';
    }
    pieces
}

/// Letters between which a line may break: Chinese, Japanese kana, full-width forms.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn products_get_the_room_that_a_label_has() {
        let expected = [
            ((152, 152, 3), (1, 1)),
            ((296, 128, 3), (1, 1)),
            ((400, 300, 1), (1, 1)),
            ((400, 300, 3), (1, 3)),
            ((400, 273, 6), (2, 3)),
            ((800, 480, 3), (1, 3)),
            ((800, 480, 6), (2, 3)),
            ((480, 800, 3), (1, 3)),
        ];
        for ((width, height, items), grid_is) in expected {
            assert_eq!(grid(width, height, items), grid_is, "{items} on {width}x{height}");
        }
    }

    #[test]
    fn lines_break_between_words_and_between_chinese_letters_but_not_before_a_full_stop() {
        assert_eq!(pieces("Oat drink, 1 l"), ["Oat ", "drink, ", "1 ", "l"]);
        assert_eq!(pieces("龙井茶。好 tea"), ["龙", "井", "茶。", "好", " ", "tea"]);
    }

    proptest! {
        #[test]
        fn a_text_is_the_sum_of_its_pieces(text in "[a-z ,.龙井茶。（）%-]{0,40}") {
            prop_assert_eq!(pieces(&text).concat(), text);
        }

        #[test]
        fn a_grid_always_has_a_cell_and_never_more_than_products(w in 64..1600u32, h in 64..1600u32, n in 1..20u32) {
            let (columns, rows) = grid(w, h, n);
            prop_assert!(columns * rows >= 1 && columns * rows <= n.max(1));
        }
    }
}
