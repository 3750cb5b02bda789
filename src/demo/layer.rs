//! A drawn part of a picture on its own, before it is laid over the rest: softened by the lens, smeared
//! by movement, its edges blended.

/// Premultiplied colours (gamma 2) and coverage of `width` x `height` pixels.
pub struct Layer {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Red, green, blue, coverage; 0..1.
    pub pixels: Vec<[f32; 4]>,
}

impl Layer {
    /// Half the size, for drawing at double resolution.
    pub fn halved(&self) -> Layer {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let i = 2 * y * self.width + 2 * x;
                let four = [i, i + 1, i + self.width, i + self.width + 1].map(|i| self.pixels[i]);
                let mut sum = [0.0; 4];
                for (k, s) in sum.iter_mut().enumerate() {
                    *s = 0.25 * (four[0][k] + four[1][k] + four[2][k] + four[3][k]);
                }
                pixels.push(sum);
            }
        }
        Layer { width, height, pixels }
    }

    /// Softened with the weights `side`, 1, `side` along rows and columns.
    pub fn soften(&mut self, side: f32) {
        let k = 1.0 / (1.0 + 2.0 * side);
        let mix =
            |a: [f32; 4], b: [f32; 4], c: [f32; 4]| [0, 1, 2, 3].map(|i| k * (b[i] + side * (a[i] + c[i])));
        for line in self.pixels.chunks_exact_mut(self.width.max(1)) {
            let mut before = line[0];
            for x in 0..line.len() {
                let now = line[x];
                let after = *line.get(x + 1).unwrap_or(&now);
                line[x] = mix(before, now, after);
                before = now;
            }
        }
        // Downwards: the two rows that are still needed as they were.
        let mut above: Vec<[f32; 4]> = self.pixels[..self.width.min(self.pixels.len())].to_vec();
        let mut here = above.clone();
        for y in 0..self.height {
            let (now, below) = self.pixels[y * self.width..].split_at_mut(self.width);
            here.copy_from_slice(now);
            let below = if y + 1 < self.height { &below[..self.width] } else { &here[..] };
            for (x, out) in now.iter_mut().enumerate() {
                *out = mix(above[x], here[x], below[x]);
            }
            std::mem::swap(&mut above, &mut here);
        }
    }

    /// Smeared along the rows over `reach` pixels, as by movement.
    pub fn smear(&mut self, reach: usize) {
        if reach < 2 {
            return;
        }
        let mut row = vec![[0.0f32; 4]; self.width];
        for line in self.pixels.chunks_exact_mut(self.width) {
            row.copy_from_slice(line);
            for (x, out) in line.iter_mut().enumerate() {
                let from = x.saturating_sub(reach / 2);
                let to = (x + reach.div_ceil(2)).min(row.len());
                let mut sum = [0.0; 4];
                for p in &row[from..to] {
                    for c in 0..4 {
                        sum[c] += p[c];
                    }
                }
                *out = sum.map(|s| s / (to - from) as f32);
            }
        }
    }

    /// Lays this layer over `picture` with its top left corner at (`left`, `top`).
    pub fn over(&self, picture: &mut image::RgbImage, left: i64, top: i64) {
        let (w, h) = (picture.width() as i64, picture.height() as i64);
        for y in (-top).clamp(0, self.height as i64)..(h - top).clamp(0, self.height as i64) {
            for x in (-left).clamp(0, self.width as i64)..(w - left).clamp(0, self.width as i64) {
                let p = self.pixels[y as usize * self.width + x as usize];
                if p[3] <= 0.002 {
                    continue;
                }
                let out = picture.get_pixel_mut((left + x) as u32, (top + y) as u32);
                for c in 0..3 {
                    let below = out.0[c] as f32 * (1.0 / 255.0);
                    let lin = p[c] + below * below * (1.0 - p[3]);
                    out.0[c] = (lin.max(0.0).sqrt().min(1.0) * 255.0 + 0.5) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer() -> Layer {
        let pixels =
            (0..35).map(|i| [((i * 37) % 11) as f32, ((i * 17) % 7) as f32, i as f32, 1.0]).collect();
        Layer { width: 7, height: 5, pixels }
    }

    #[test]
    fn softening_is_the_same_as_the_plain_sum_over_neighbours() {
        let before = layer();
        let mut after = layer();
        after.soften(0.3);
        let weight = [0.3, 1.0, 0.3];
        for y in 0..5usize {
            for x in 0..7usize {
                for c in 0..4 {
                    let mut sum = 0.0;
                    for (j, wy) in weight.iter().enumerate() {
                        for (i, wx) in weight.iter().enumerate() {
                            let (px, py) =
                                ((x + i).saturating_sub(1).min(6), (y + j).saturating_sub(1).min(4));
                            sum += wx * wy * before.pixels[py * 7 + px][c];
                        }
                    }
                    assert!((after.pixels[y * 7 + x][c] - sum / 2.56).abs() < 1e-3, "{x} {y} {c}");
                }
            }
        }
    }
}
