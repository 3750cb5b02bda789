//! Sparse rows, and a sum of them that costs only what it touches.

/// Rows of a matrix that is mostly zeros.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Rows {
    /// From rows of (column, value), each column at most once a row.
    pub fn new(rows: impl Iterator<Item = Vec<(u32, f32)>>) -> Rows {
        let mut out = Rows { starts: vec![0], columns: Vec::new(), values: Vec::new() };
        for row in rows {
            out.columns.extend(row.iter().map(|e| e.0));
            out.values.extend(row.iter().map(|e| e.1));
            out.starts.push(out.columns.len());
        }
        out
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The columns of a row that hold something, and what.
    pub fn row(&self, at: usize) -> (&[u32], &[f32]) {
        let range = self.starts[at]..self.starts[at + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The same matrix by columns, of which there are `columns`.
    pub fn transposed(&self, columns: usize) -> Rows {
        let mut starts = vec![0usize; columns + 1];
        self.columns.iter().for_each(|c| starts[*c as usize + 1] += 1);
        for at in 0..columns {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let (mut rows, mut values) = (vec![0; self.columns.len()], vec![0.0; self.values.len()]);
        for at in 0..self.count() {
            let (columns, row) = self.row(at);
            for (column, value) in columns.iter().zip(row) {
                let place = &mut next[*column as usize];
                (rows[*place], values[*place]) = (at as u32, *value);
                *place += 1;
            }
        }
        Rows { starts, columns: rows, values }
    }

    /// Square of each row's length.
    pub fn squares(&self) -> Vec<f32> {
        (0..self.count()).map(|at| self.row(at).1.iter().map(|v| v * v).sum()).collect()
    }
}

/// A sum over sparse rows: dense inside, so that adding is quick; emptied in the time that its
/// entries take, so that it can be used again.
#[derive(Debug, Clone)]
pub struct Sum {
    values: Vec<f32>,
    touched: Vec<u32>,
}

impl Sum {
    /// An empty sum over columns below `columns`.
    pub fn new(columns: usize) -> Sum {
        Sum { values: vec![0.0; columns], touched: Vec::new() }
    }

    /// Adds `value`, above 0, to a column.
    #[inline]
    pub fn add(&mut self, column: u32, value: f32) {
        let place = &mut self.values[column as usize];
        if *place == 0.0 {
            self.touched.push(column);
        }
        *place += value;
    }

    /// Adds `weight` times a row.
    pub fn add_row(&mut self, weight: f32, row: (&[u32], &[f32])) {
        for (column, value) in row.0.iter().zip(row.1) {
            self.add(*column, weight * value);
        }
    }

    /// All columns, touched or not.
    pub fn dense(&self) -> &[f32] {
        &self.values
    }

    /// The columns that something was added to.
    pub fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// The sum in order of column; empty afterwards.
    pub fn take(&mut self) -> Vec<(u32, f32)> {
        self.touched.sort_unstable();
        let entries = self.touched.iter().map(|c| (*c, std::mem::take(&mut self.values[*c as usize])));
        let entries = entries.collect();
        self.touched.clear();
        entries
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.touched.drain(..).for_each(|c| self.values[c as usize] = 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_twice_gives_the_same_matrix() {
        let rows = Rows::new([vec![(0, 1.0), (4, 2.0)], vec![], vec![(4, 3.0)]].into_iter());
        let by_column = rows.transposed(5);
        assert_eq!(by_column.row(4), ([0, 2].as_slice(), [2.0, 3.0].as_slice()));
        let again = by_column.transposed(3);
        for at in 0..3 {
            assert_eq!(again.row(at), rows.row(at));
        }
        assert_eq!(rows.squares(), [5.0, 0.0, 9.0]);
    }

    #[test]
    fn a_taken_sum_is_empty() {
        let mut sum = Sum::new(6);
        sum.add(5, 1.0);
        sum.add_row(2.0, ([1, 5].as_slice(), [0.5, 1.0].as_slice()));
        assert_eq!(sum.take(), [(1, 1.0), (5, 3.0)]);
        assert!(sum.take().is_empty() && sum.dense().iter().all(|v| *v == 0.0));
    }
}
