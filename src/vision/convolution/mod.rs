//! Dense convolutions, computed by our own kernels instead of tract's: tract packs the input of
//! every convolution anew, which for small networks is much of the time. [`fuse`](fn@fuse) puts one
//! operator in the place of a convolution, the sum with another map and the ReLU after it;
//! whatever it does not know stays tract's. The answers are those of tract but for rounding.
//!
//! - `map`: how pixels lie between our operators,
//! - `lanes`: sixteen numbers at a time, by processor,
//! - `sweep`: the one inner loop,
//! - `winograd`: fewer products where stride is 1 and the kernel 3,
//! - `operator`: what tract runs,
//! - `fuse`: which nodes are replaced.

mod fuse;
mod lanes;
mod map;
mod operator;
mod sweep;
#[cfg(test)]
mod tests;
mod winograd;

pub use fuse::fuse;
