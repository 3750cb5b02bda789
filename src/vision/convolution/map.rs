//! How our convolutions hand pixels to each other: row by row, the channels of a pixel side by
//! side, with one pixel of zeros all around, so that no kernel asks where the picture ends.
//! A pixel's channels are padded with zeros to a multiple of eight.

use super::lanes::{HALF, LANES};
use std::sync::{Arc, Mutex, PoisonError};
use tract_onnx::tract_core::internal::*;

/// A picture of feature vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Map {
    /// Rows without the ring.
    pub(super) height: usize,
    /// Columns without the ring.
    pub(super) width: usize,
    /// Channels without padding.
    pub(super) channels: usize,
}

impl Map {
    /// Numbers from one pixel to the next.
    pub(super) fn pitch(self) -> usize {
        self.channels.next_multiple_of(HALF)
    }

    /// Groups of [`LANES`] channels, the last one perhaps half.
    pub(super) fn groups(self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Numbers from one row to the next.
    pub(super) fn row(self) -> usize {
        (self.width + 2) * self.pitch()
    }

    /// Where the ring's pixel above and left of pixel (`y`, `x`) begins.
    pub(super) fn corner(self, y: usize, x: usize) -> usize {
        y * self.row() + x * self.pitch()
    }

    /// Where pixel (`y`, `x`) begins.
    pub(super) fn at(self, y: usize, x: usize) -> usize {
        self.corner(y + 1, x + 1)
    }

    /// The shape of the tensor that holds it, ring and padding included.
    pub(super) fn shape(self) -> [usize; 4] {
        [1, self.height + 2, self.width + 2, self.pitch()]
    }

    /// Numbers in it, ring and padding included.
    pub(super) fn len(self) -> usize {
        self.shape().iter().product()
    }

    /// Writes it as planes: channel by channel, without ring and padding.
    pub(super) fn write_planes(self, map: &[f32], planes: &mut [f32]) {
        let (pitch, plane) = (self.pitch(), self.height * self.width);
        for y in 0..self.height {
            let row = &map[self.at(y, 0)..][..self.width * pitch];
            for first in (0..self.channels).step_by(HALF) {
                let count = HALF.min(self.channels - first);
                for (x, pixel) in row.chunks_exact(pitch).enumerate() {
                    for (c, value) in pixel[first..first + count].iter().enumerate() {
                        planes[(first + c) * plane + y * self.width + x] = *value;
                    }
                }
            }
        }
    }
}

impl std::fmt::Display for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Tensors that are written again in the next run, once nobody reads them any more. What is zero
/// in them and never written stays zero. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Reused(Arc<Mutex<Vec<Arc<Tensor>>>>);

impl Reused {
    /// Lets `write` fill a tensor of `shape`, zero or as the last `write` left it.
    pub(super) fn write(
        &self,
        shape: &[usize],
        write: impl FnOnce(&mut [f32]) -> TractResult<()>,
    ) -> TractResult<TValue> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = {
            let mut kept = kept();
            let free = kept.iter().position(|tensor| Arc::strong_count(tensor) == 1);
            free.map(|at| kept.swap_remove(at))
        };
        let mut tensor = match free {
            Some(tensor) => tensor,
            None => Arc::new(Tensor::zero_aligned::<f32>(shape, 64)?),
        };
        let numbers = Arc::get_mut(&mut tensor).context("a tensor of an earlier run is still read")?;
        write(numbers.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?)?;
        kept().push(tensor.clone());
        Ok(TValue::from_const(tensor))
    }
}
