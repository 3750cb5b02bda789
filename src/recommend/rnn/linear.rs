//! A matrix that is only ever multiplied by a vector: as f32, the meaning; or as bytes, one scale a
//! row, by the kernels that the gallery scans with. The vector then becomes bytes too.

use crate::gallery::kernels::{Kernel, Rows};

/// Matrices of up to this many rows are multiplied by a vector of nearly 16 bits: their products are
/// fed back into a network, where roundings add up, and cost next to nothing. Above it are tables
/// that are scanned once.
const FINE: usize = 1024;
/// Matrices of fewer columns than this stay floating point: there is little to save, and their roundings
/// would weigh more.
const LEAST: usize = 64;

/// Vectors that are multiplied at once.
pub const SIDE: usize = 16;
/// One number of each of [`SIDE`] vectors.
pub type Side = [f32; SIDE];

/// Which numbers to compute with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floating point: the reference.
    Float,
    /// 8-bit whole numbers, by this kernel.
    Bytes(Kernel),
}

impl Precision {
    /// Bytes, by the fastest kernel of this processor.
    pub fn fastest() -> Precision {
        Precision::Bytes(Kernel::best())
    }
}

/// A matrix of `rows` by `columns`.
#[derive(Clone)]
pub struct Linear {
    columns: usize,
    rows: usize,
    numbers: Numbers,
}

#[derive(Clone)]
enum Numbers {
    Float(Vec<f32>),
    /// Column by column: several rows at a time without any kernel.
    ByColumn(Vec<f32>),
    Bytes(Rows, Kernel),
}

impl Linear {
    /// From numbers row by row.
    pub fn new(values: &[f32], columns: usize, precision: Precision) -> Linear {
        let numbers = match precision {
            Precision::Float => Numbers::Float(values.to_vec()),
            Precision::Bytes(kernel) => {
                let mut rows = Rows::new(columns);
                values.chunks_exact(columns).for_each(|row| rows.push(row));
                Numbers::Bytes(rows, kernel)
            }
        };
        Linear { columns, rows: values.len() / columns, numbers }
    }

    /// From numbers column by column, as training keeps them: row `i` of `values` belongs to input
    /// `i`. A matrix of few columns stays floating point.
    pub fn turned(values: &[f32], columns: usize, precision: Precision) -> Linear {
        let rows = values.len() / columns;
        if precision == Precision::Float || columns < LEAST {
            return Linear { columns, rows, numbers: Numbers::ByColumn(values.to_vec()) };
        }
        let turned: Vec<f32> =
            (0..rows).flat_map(|r| (0..columns).map(move |c| values[c * rows + r])).collect();
        Linear::new(&turned, columns, precision)
    }

    /// One number of the product with `x`: what [`Linear::add_to`] adds to that row.
    pub fn row_product(&self, row: usize, x: &[f32]) -> f32 {
        match &self.numbers {
            Numbers::Float(values) => {
                values[row * self.columns..][..self.columns].iter().zip(x).map(|(w, x)| w * x).sum()
            }
            Numbers::ByColumn(values) => {
                values[row..].iter().step_by(self.rows).zip(x).map(|(w, x)| w * x).sum()
            }
            Numbers::Bytes(rows, kernel) => {
                let Some(probe) = rows.probe(x) else { return 0.0 };
                let rest = if self.rows <= FINE { rows.rest(x, &probe) } else { None };
                let product = |probe| rows.row_product(*kernel, &probe, row);
                std::iter::once(probe).chain(rest).map(product).sum()
            }
        }
    }

    /// [`Linear::add_to`] for several vectors side by side: the same sums, in the same order.
    pub fn add_to_side(&self, x: &[Side], out: &mut [Side]) {
        let add = |sum: &mut Side, w: f32, x: &Side| sum.iter_mut().zip(x).for_each(|(s, x)| *s += w * x);
        match &self.numbers {
            Numbers::ByColumn(values) => {
                for (row, out) in out.iter_mut().enumerate().take(self.rows) {
                    let mut sum = *out;
                    let column = values[row..].iter().step_by(self.rows);
                    column.zip(x).for_each(|(w, x)| add(&mut sum, *w, x));
                    *out = sum;
                }
            }
            Numbers::Float(_) | Numbers::Bytes(..) => {
                let (mut one, mut sums) = (vec![0.0; x.len()], vec![0.0; out.len()]);
                for side in 0..SIDE {
                    one.iter_mut().zip(x).for_each(|(one, x)| *one = x[side]);
                    sums.iter_mut().zip(&*out).for_each(|(sum, out)| *sum = out[side]);
                    self.add_to(&one, &mut sums);
                    out.iter_mut().zip(&sums).for_each(|(out, sum)| out[side] = *sum);
                }
            }
        }
    }

    /// How many numbers a product with a vector gives.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds the product with `x`, of one number a column, to `out`, of one number a row.
    pub fn add_to(&self, x: &[f32], out: &mut [f32]) {
        match &self.numbers {
            Numbers::Float(values) => {
                for (o, row) in out.iter_mut().zip(values.chunks_exact(self.columns)) {
                    *o += row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
                }
            }
            Numbers::ByColumn(values) => {
                for (column, x) in values.chunks_exact(self.rows).zip(x) {
                    out.iter_mut().zip(column).for_each(|(o, w)| *o += w * x);
                }
            }
            Numbers::Bytes(rows, kernel) => {
                // A vector of zeros has no bytes, and adds nothing.
                let Some(probe) = rows.probe(x) else { return };
                let rest = if self.rows <= FINE { rows.rest(x, &probe) } else { None };
                for probe in std::iter::once(probe).chain(rest) {
                    rows.add_products(*kernel, &probe, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_is_near_the_reference() {
        let (rows, columns) = (300, 70);
        let value = |i: usize| ((i * 7919 % 1013) as f32 / 506.0 - 1.0) * 0.3;
        let values: Vec<f32> = (0..rows * columns).map(value).collect();
        let x: Vec<f32> = (0..columns).map(|i| value(i * 31 + 5)).collect();
        let product = |precision| {
            let mut out = vec![0.5; rows];
            Linear::new(&values, columns, precision).add_to(&x, &mut out);
            out
        };
        let exact = product(Precision::Float);
        for kernel in Kernel::available() {
            for (a, b) in exact.iter().zip(product(Precision::Bytes(kernel))) {
                assert!((a - b).abs() < 0.02, "{kernel:?}: {a} {b}");
            }
        }
    }

    #[test]
    fn a_turned_matrix_is_the_same_matrix() {
        // Two inputs, three outputs.
        let by_input = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        let linear = Linear::turned(&by_input, 2, Precision::Float);
        let mut out = [0.0; 3];
        linear.add_to(&[1.0, 0.1], &mut out);
        assert_eq!((linear.rows(), out), (3, [2.0, 4.0, 6.0]));
    }

    #[test]
    fn vectors_side_by_side_give_what_each_gives_alone() {
        for (columns, precision) in
            [(5, Precision::Float), (5, Precision::fastest()), (70, Precision::fastest())]
        {
            let values: Vec<f32> = (0..columns * 7).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
            for linear in
                [Linear::turned(&values, columns, precision), Linear::new(&values, columns, precision)]
            {
                let x: Vec<Side> = (0..columns)
                    .map(|c| std::array::from_fn(|s| ((c * 13 + s * 7) % 11) as f32 - 5.0))
                    .collect();
                let mut together = vec![[0.25; SIDE]; linear.rows()];
                linear.add_to_side(&x, &mut together);
                for side in 0..SIDE {
                    let one: Vec<f32> = x.iter().map(|x| x[side]).collect();
                    let mut alone = vec![0.25; linear.rows()];
                    linear.add_to(&one, &mut alone);
                    let side: Vec<f32> = together.iter().map(|t| t[side]).collect();
                    assert_eq!(side, alone);
                }
            }
        }
    }
}
