//! One list of promises, held by every kernel.

use super::*;
use proptest::prelude::*;

/// One that this processor lacks says so and is left out.
macro_rules! kernel_tests {
    ($($name:ident: $kernel:expr;)*) => {$(
        mod $name {
            use super::*;

            fn rows(values: &[Vec<f32>]) -> Option<Rows> {
                if !Kernel::available().contains(&$kernel) {
                    println!("left out: this processor has no {:?}", $kernel);
                    return None;
                }
                let mut rows = Rows::new(values[0].len());
                values.iter().for_each(|v| rows.push(v));
                Some(rows)
            }

            fn dots(rows: &Rows, kernel: Kernel, probe: &Probe, from: usize, count: usize) -> Vec<i32> {
                let mut out = vec![0; count];
                rows.scan(kernel, probe, from, &mut out);
                out
            }

            #[test]
            fn extreme_bytes_do_not_overflow() {
                let values: Vec<Vec<f32>> = vec![vec![1.0; 2048], vec![-1.0; 2048]];
                let Some(rows) = rows(&values) else { return };
                let expected = 127 * 127 * 2048;
                let probe = rows.probe(&values[0]).unwrap();
                assert_eq!(dots(&rows, $kernel, &probe, 0, 2), [expected, -expected]);
                let probe = rows.probe(&values[1]).unwrap();
                assert_eq!(dots(&rows, $kernel, &probe, 0, 2), [-expected, expected]);
            }

            proptest! {
                #[test]
                fn computes_what_the_numbers_themselves_say(
                    values in (1usize..150).prop_flat_map(|d| proptest::collection::vec(
                        proptest::collection::vec(-1f32..1.0, d), 2..120)),
                    from in 0usize..7,
                    missing in 0usize..16,
                ) {
                    let Some(rows) = rows(&values) else { return Ok(()) };
                    let Some(probe) = rows.probe(&values[0]) else { return Ok(()) };
                    let from = from * TILE % values.len().next_multiple_of(TILE);
                    let count = (values.len() - from).saturating_sub(missing);
                    let fast = dots(&rows, $kernel, &probe, from, count);
                    prop_assert_eq!(&fast, &dots(&rows, Kernel::Plain, &probe, from, count));
                    for (row, dot) in (from..).zip(&fast) {
                        // Half a byte's step on either side.
                        let exact: f32 = values[row].iter().zip(&values[0]).map(|(a, b)| a * b).sum();
                        let limit = 0.01 * values[0].len() as f32 + 1e-3;
                        prop_assert!((rows.cosine(&probe, row, *dot) - exact).abs() <= limit);
                    }
                    let mut products = vec![0.5f32; count];
                    rows.add_products($kernel, &probe, &mut products);
                    let slow = dots(&rows, Kernel::Plain, &probe, 0, count);
                    for (row, (product, dot)) in products.iter().zip(slow).enumerate() {
                        prop_assert!((product - 0.5 - rows.cosine(&probe, row, dot)).abs() < 1e-4);
                    }
                }

                /// Rows come and go as in a plain list of them.
                #[test]
                fn rows_are_those_that_are_there(
                    steps in proptest::collection::vec((0usize..3, any::<prop::sample::Index>(), -1f32..1.0), 1..80)
                ) {
                    let d = 6;
                    let row = |seed: f32| -> Vec<f32> { (0..d).map(|i| (seed * (i + 1) as f32).sin() + 0.01).collect() };
                    let Some(mut rows) = rows(&[row(0.5)]) else { return Ok(()) };
                    let mut list = vec![row(0.5)];
                    for (step, index, seed) in steps {
                        let at = index.index(list.len().max(1));
                        match step {
                            0 | 1 if list.is_empty() || step == 0 => {
                                rows.push(&row(seed));
                                list.push(row(seed));
                            }
                            1 => {
                                rows.set(at, &row(seed));
                                list[at] = row(seed);
                            }
                            _ if !list.is_empty() => {
                                rows.swap_remove(at);
                                list.swap_remove(at);
                            }
                            _ => {}
                        }
                        let mut fresh = Rows::new(d);
                        list.iter().for_each(|r| fresh.push(r));
                        prop_assert_eq!(&rows.steps, &fresh.steps, "something of a removed row is left");
                        let probe = fresh.probe(&row(0.7)).unwrap();
                        let count = list.len();
                        prop_assert_eq!(
                            dots(&rows, $kernel, &probe, 0, count), dots(&fresh, Kernel::Plain, &probe, 0, count)
                        );
                    }
                }
            }
        }
    )*};
}

kernel_tests! {
    plain: Kernel::Plain;
    portable: Kernel::Portable;
    avx2: Kernel::Avx2;
    vnni: Kernel::Vnni;
    avx512_vnni: Kernel::Avx512Vnni;
}
