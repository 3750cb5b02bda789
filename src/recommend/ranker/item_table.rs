//! What products are like, from who buys them: the leading right singular vectors of the matrix of
//! members by products, `1 + ln count`, rows and columns scaled down by how much they hold. The first
//! vector is popularity and is left out. The table is frozen: networks learn on it, never it.
//!
//! Found by block power iteration (Halko, Martinsson and Tropp, 2011): a few products of the sparse
//! matrix with a thin one, each made orthonormal again.

use super::corpus::{Corpus, counts};
use super::sparse::Rows;
use rand::{Rng, SeedableRng};

/// Columns sought beyond those kept, so that the kept ones settle.
const SPARE: usize = 8;
/// Products with the matrix and its transpose.
const ROUNDS: usize = 8;

/// One row of numbers a product.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemTable {
    /// Numbers a product.
    pub columns: usize,
    /// Row by row.
    pub values: Vec<f32>,
}

impl ItemTable {
    /// A table of `columns` numbers a product. Products that nobody bought have zeros.
    pub fn new(corpus: &Corpus, columns: usize, seed: u64) -> ItemTable {
        let wanted = columns + 1;
        let matrix = scaled(corpus);
        let by_item = matrix.transposed(corpus.items);
        let (vectors, width) = leading(&matrix, &by_item, corpus, wanted, seed);
        let mut values = vec![0.0; corpus.items * columns];
        // Entries of unit vectors shrink with the number of products: back to about 1.
        let scale = (corpus.items as f32).sqrt();
        for (row, vector) in values.chunks_exact_mut(columns).zip(vectors.chunks_exact(width)) {
            for (value, x) in row.iter_mut().zip(&vector[1..]) {
                *value = (x * scale).clamp(-30.0, 30.0);
            }
        }
        ItemTable { columns, values }
    }

    /// The numbers of a product.
    pub fn row(&self, item: u32) -> &[f32] {
        &self.values[item as usize * self.columns..][..self.columns]
    }

    /// Mean of the rows of these products; zeros if there are none.
    pub fn mean(&self, items: &[u32], out: &mut [f32]) {
        out.fill(0.0);
        for item in items {
            out.iter_mut().zip(self.row(*item)).for_each(|(o, x)| *o += x);
        }
        let share = 1.0 / items.len().max(1) as f32;
        out.iter_mut().for_each(|o| *o *= share);
    }
}

fn scaled(corpus: &Corpus) -> Rows {
    let log = |(item, count): (u32, f32)| (item, 1.0 + count.ln());
    let rows: Vec<Vec<(u32, f32)>> =
        corpus.histories.iter().map(|h| counts(h).into_iter().map(log).collect()).collect();
    let mut columns = vec![0.0f32; corpus.items];
    rows.iter().flatten().for_each(|(item, value)| columns[*item as usize] += value);
    let column: Vec<f32> = columns.iter().map(|sum| 1.0 / (sum + 5.0).sqrt()).collect();
    Rows::new(rows.into_iter().map(|row| {
        let own = 1.0 / (row.iter().map(|e| e.1).sum::<f32>() + 1.0).sqrt();
        row.into_iter().map(|(item, value)| (item, value * own * column[item as usize])).collect()
    }))
}

/// `out = rows · thin`, `thin` having `width` columns.
fn product(rows: &Rows, thin: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows.count() * width];
    for (at, sum) in out.chunks_exact_mut(width).enumerate() {
        let (columns, values) = rows.row(at);
        for (column, value) in columns.iter().zip(values) {
            let other = &thin[*column as usize * width..][..width];
            sum.iter_mut().zip(other).for_each(|(s, x)| *s += value * x);
        }
    }
    out
}

/// Leading right singular vectors, strongest first, as rows of `width` entries a product.
fn leading(matrix: &Rows, by_item: &Rows, corpus: &Corpus, wanted: usize, seed: u64) -> (Vec<f32>, usize) {
    let width = wanted + SPARE;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut basis: Vec<f32> = (0..corpus.items * width).map(|_| random.random::<f32>() - 0.5).collect();
    orthonormal(&mut basis, width);
    for _ in 0..ROUNDS {
        basis = product(by_item, &product(matrix, &basis, width), width);
        orthonormal(&mut basis, width);
    }
    // Within the subspace found, the eigenvectors of the small matrix put the axes in order.
    let image = product(matrix, &basis, width);
    let mut small = vec![0.0f64; width * width];
    for row in image.chunks_exact(width) {
        for (line, a) in small.chunks_exact_mut(width).zip(row) {
            line.iter_mut().zip(row).for_each(|(s, b)| *s += *a as f64 * *b as f64);
        }
    }
    let turn = eigenvectors(small, width);
    let mut out = vec![0.0f32; basis.len()];
    for (to, from) in out.chunks_exact_mut(width).zip(basis.chunks_exact(width)) {
        for (place, axis) in to.iter_mut().zip(turn.chunks_exact(width)) {
            *place = from.iter().zip(axis).map(|(a, b)| *a as f64 * b).sum::<f64>() as f32;
        }
    }
    (out, width)
}

/// Makes the columns orthonormal, in order (Gram–Schmidt, twice, which is enough). A column that
/// the ones before it already span becomes zero.
fn orthonormal(matrix: &mut [f32], width: usize) {
    // Columns lie apart in memory as rows; turned, each is one run.
    let rows = matrix.len() / width;
    let mut columns: Vec<Vec<f32>> =
        (0..width).map(|c| (0..rows).map(|r| matrix[r * width + c]).collect()).collect();
    for at in 0..width {
        let (before, rest) = columns.split_at_mut(at);
        let column = &mut rest[0];
        let original = dot(column, column).sqrt();
        for _ in 0..2 {
            for other in before.iter() {
                let share = dot(column, other) as f32;
                column.iter_mut().zip(other).for_each(|(c, o)| *c -= share * o);
            }
        }
        let length = dot(column, column).sqrt();
        let scale = if length > original * 1e-5 && length > 1e-30 { 1.0 / length as f32 } else { 0.0 };
        column.iter_mut().for_each(|c| *c *= scale);
    }
    for (c, column) in columns.iter().enumerate() {
        column.iter().enumerate().for_each(|(r, x)| matrix[r * width + c] = *x);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let part = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>() as f64;
    a.chunks(16).zip(b.chunks(16)).map(part).sum()
}

/// Eigenvectors of a symmetric matrix as rows, largest eigenvalue first (Jacobi's rotations).
/// Signs are fixed by the largest entry, so that the same data gives the same table.
fn eigenvectors(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    for _ in 0..30 {
        let off: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        let all: f64 = a.iter().map(|x| x * x).sum();
        if off <= 1e-22 * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q].abs() < 1e-300 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (v[p * n + k], v[q * n + k]);
                    (v[p * n + k], v[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|x, y| a[y * n + y].total_cmp(&a[x * n + x]));
    let signed = |i: usize| {
        let row = &v[i * n..(i + 1) * n];
        let largest = row.iter().fold(0.0f64, |m, x| if x.abs() > m.abs() { *x } else { m });
        row.iter().map(move |x| if largest < 0.0 { -x } else { *x })
    };
    order.into_iter().flat_map(signed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Basket;
    use super::*;

    #[test]
    fn two_kinds_of_shoppers_are_told_apart() {
        // Members buy from products 0..10 or from 10..20, all of them 20, nobody 21.
        let history = |m: u32| {
            let base = if m.is_multiple_of(2) { 0 } else { 10 };
            let own = (0..10).filter(|i| !(m / 2 + i).is_multiple_of(3)).map(|i| base + i);
            vec![Basket { items: own.chain([20]).collect(), day: None }]
        };
        let corpus = Corpus { items: 22, histories: (0..40).map(history).collect(), ..Corpus::default() };
        let table = ItemTable::new(&corpus, 1, 1);
        let kind = |item: u32| table.row(item)[0].signum();
        assert!((0..10).all(|i| kind(i) == kind(0) && kind(i + 10) == -kind(0)), "{table:?}");
        assert!(table.row(21).iter().all(|x| *x == 0.0));
        assert_eq!(table, ItemTable::new(&corpus, 1, 1));
    }

    #[test]
    fn eigenvectors_of_a_known_matrix() {
        let v = eigenvectors(vec![2.0, 1.0, 1.0, 2.0], 2);
        let half = 0.5f64.sqrt();
        assert!((v[0] - half).abs() < 1e-9 && (v[1] - half).abs() < 1e-9, "{v:?}");
        assert!((v[2] + v[3]).abs() < 1e-9);
    }
}
