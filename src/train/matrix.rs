//! Products of matrices that lie row by row, added to what is there. `unsafe` stands here only to
//! call `matrixmultiply`, behind checks of every length.
#![allow(unsafe_code)]

/// `c += a · b`, `a` being `m` by `k` and `b` `k` by `n`.
pub fn add_product(c: &mut [f32], a: &[f32], b: &[f32], m: usize, k: usize, n: usize) {
    general(c, a, [k, 1], b, [n, 1], m, k, n);
}

/// `c += a · bᵀ`, `a` being `m` by `k` and `b` `n` by `k`.
pub fn add_product_turned(c: &mut [f32], a: &[f32], b: &[f32], m: usize, k: usize, n: usize) {
    general(c, a, [k, 1], b, [1, k], m, k, n);
}

/// `c += aᵀ · b`, `a` being `k` by `m` and `b` `k` by `n`.
pub fn add_turned_product(c: &mut [f32], a: &[f32], b: &[f32], m: usize, k: usize, n: usize) {
    general(c, a, [1, m], b, [n, 1], m, k, n);
}

#[allow(clippy::too_many_arguments)]
fn general(
    c: &mut [f32],
    a: &[f32],
    a_steps: [usize; 2],
    b: &[f32],
    b_steps: [usize; 2],
    m: usize,
    k: usize,
    n: usize,
) {
    assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n, "{m} by {k} by {n}");
    let step = |s: usize| s as isize;
    // SAFETY: each matrix holds exactly the rows and columns that its steps reach, checked above,
    // and `c` is borrowed for writing by nobody else.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            step(a_steps[0]),
            step(a_steps[1]),
            b.as_ptr(),
            step(b_steps[0]),
            step(b_steps[1]),
            1.0,
            c.as_mut_ptr(),
            step(n),
            1,
        );
    }
}

/// Adds the sum of the rows of `a` to `c`.
pub fn add_column_sums(c: &mut [f32], a: &[f32]) {
    for row in a.chunks_exact(c.len()) {
        c.iter_mut().zip(row).for_each(|(c, a)| *c += a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_products_agree_with_sums() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let mut c = [1.0; 4];
        add_product(&mut c, &a, &b, 2, 3, 2);
        assert_eq!(c, [59.0, 65.0, 140.0, 155.0]);
        let mut c = [0.0; 4];
        add_product_turned(&mut c, &a, &b, 2, 3, 2);
        assert_eq!(c, [50.0, 68.0, 122.0, 167.0]);
        let mut c = [0.0; 4];
        add_turned_product(&mut c, &a, &b, 2, 3, 2);
        assert_eq!(c, [89.0, 98.0, 116.0, 128.0]);
    }
}
