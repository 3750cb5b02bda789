//! Sparse rows that can be changed in place, and a sum of them that costs only what it touches.

/// Rows of a matrix that is mostly zeros; rows beyond the last are empty.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Default)]
struct Row {
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Rows {
    /// From rows of (column, value), each in order of column and each column at most once.
    pub fn new(rows: impl Iterator<Item = Vec<(u32, f32)>>) -> Rows {
        let row = |entries: Vec<(u32, f32)>| {
            let (columns, values) = entries.into_iter().unzip();
            Row { columns, values }
        };
        Rows { rows: rows.map(row).collect() }
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The columns of a row that hold something, and what.
    pub fn row(&self, at: usize) -> (&[u32], &[f32]) {
        self.rows.get(at).map_or((&[], &[]), |row| (&row.columns, &row.values))
    }

    /// Sets a whole row.
    pub fn set(&mut self, at: usize, entries: &[(u32, f32)]) {
        let row = self.reach(at);
        (row.columns, row.values) = entries.iter().copied().unzip();
    }

    /// Sets one number; 0 takes it out.
    pub fn put(&mut self, at: usize, column: u32, value: f32) {
        let row = self.reach(at);
        match row.columns.binary_search(&column) {
            Ok(place) if value == 0.0 => {
                row.columns.remove(place);
                row.values.remove(place);
            }
            Ok(place) => row.values[place] = value,
            Err(_) if value == 0.0 => {}
            Err(place) => {
                row.columns.insert(place, column);
                row.values.insert(place, value);
            }
        }
    }

    /// Puts a column, known as `before`, to what `after` says, both as (row, value) in order of row.
    pub fn change_column(&mut self, column: u32, before: &[(u32, f32)], after: &[(u32, f32)]) {
        let stays = |row: &u32| after.binary_search_by_key(row, |e| e.0).is_ok();
        for (row, _) in before.iter().filter(|e| !stays(&e.0)) {
            self.put(*row as usize, column, 0.0);
        }
        for (row, value) in after {
            self.put(*row as usize, column, *value);
        }
    }

    fn reach(&mut self, at: usize) -> &mut Row {
        if at >= self.rows.len() {
            self.rows.resize_with(at + 1, Row::default);
        }
        &mut self.rows[at]
    }

    /// The same matrix by columns, of which there are `columns`.
    pub fn transposed(&self, columns: usize) -> Rows {
        let mut sizes = vec![0usize; columns];
        self.rows.iter().flat_map(|r| &r.columns).for_each(|c| sizes[*c as usize] += 1);
        let empty = |size: usize| Row { columns: Vec::with_capacity(size), values: Vec::with_capacity(size) };
        let mut turned: Vec<Row> = sizes.into_iter().map(empty).collect();
        for (row, at) in self.rows.iter().zip(0u32..) {
            for (column, value) in row.columns.iter().zip(&row.values) {
                turned[*column as usize].columns.push(at);
                turned[*column as usize].values.push(*value);
            }
        }
        Rows { rows: turned }
    }

    /// Square of each row's length.
    pub fn squares(&self) -> Vec<f32> {
        self.rows.iter().map(|row| row.values.iter().map(|v| v * v).sum()).collect()
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

    /// Makes room for columns below `columns`.
    pub fn reach(&mut self, columns: usize) {
        self.values.resize(columns.max(self.values.len()), 0.0);
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
    fn a_changed_column_is_as_if_it_had_always_been_so() {
        let mut rows = Rows::new([vec![(0, 1.0), (4, 2.0)], vec![(4, 5.0)]].into_iter());
        rows.change_column(4, &[(0, 2.0), (1, 5.0)], &[(1, 6.0), (3, 7.0)]);
        assert_eq!(rows.row(0), ([0].as_slice(), [1.0].as_slice()));
        assert_eq!(rows.row(1), ([4].as_slice(), [6.0].as_slice()));
        assert_eq!((rows.row(2).0.len(), rows.row(3).1[0], rows.row(9).0.len()), (0, 7.0, 0));
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
