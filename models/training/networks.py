"""The networks, shaped for an inference engine that runs dense 3x3 convolutions best.

They are plain convolution + ReLU (+ Add): no depthwise convolution on a map, no pooling, no strided 1x1
shortcut, no padding node. BatchNorm is folded into the convolutions when a network is exported
(`export.py`). Channels are multiples of 16 because the matrix kernels work on tiles of 16 rows.
"""

import torch
from torch import nn

STRIDES = (8, 16, 32)
# Anchor points per cell are one; 1 face logit + 4 box values + 5 landmarks.
OUTPUTS_PER_CELL = 15


def conv(inputs, outputs, kernel=3, stride=1, relu=True):
    """A convolution with symmetric padding, BatchNorm and (usually) ReLU."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """relu(x + f(x)) with `depth` 3x3 convolutions in f; the size never changes."""

    def __init__(self, channels, depth=2):
        super().__init__()
        self.body = nn.Sequential(
            *[conv(channels, channels, relu=i + 1 < depth) for i in range(depth)]
        )

    def forward(self, x):
        return torch.relu(x + self.body(x))


class Detector(nn.Module):
    """Single-stage, anchor-free face detector with five landmarks at strides 8, 16 and 32.

    The face channel is a logit. Context flows down from the coarse grids through transposed
    convolutions of kernel 2 and stride 2 (a matrix product without overlaps); the fine grids spend
    their one full-width 3x3 convolution after that, where it sees both. The stem takes two steps of
    stride 2 (one of stride 4 has fewer products but packs ten times slower), the second without
    overlap because packing is its cost.
    """

    def __init__(self, channels=(16, 16, 48, 64, 96), blocks=(2, 2, 2, 1, 2)):
        super().__init__()
        c2, c4, c8, c16, c32 = self.channels = channels
        residuals = lambda width, place: [Residual(width, depth=1) for _ in range(blocks[place])]
        self.stage8 = nn.Sequential(
            conv(3, c2, stride=2), conv(c2, c4, kernel=2, stride=2), conv(c4, c8, stride=2), *residuals(c8, 0))
        self.stage16 = nn.Sequential(conv(c8, c16, stride=2), *residuals(c16, 1))
        self.stage32 = nn.Sequential(conv(c16, c32, stride=2), *residuals(c32, 2))
        self.down32 = nn.ConvTranspose2d(c32, c16, 2, 2)
        self.down16 = nn.ConvTranspose2d(c16, c8, 2, 2)
        self.mix16 = nn.Sequential(*residuals(c16, 3))
        self.mix8 = nn.Sequential(*residuals(c8, 4))
        self.head8 = nn.Conv2d(c8, OUTPUTS_PER_CELL, 1)
        self.head16 = nn.Conv2d(c16, OUTPUTS_PER_CELL, 1)
        self.head32 = nn.Conv2d(c32, OUTPUTS_PER_CELL, 1)
        for head in (self.head8, self.head16, self.head32):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
            with torch.no_grad():
                head.bias[0] = -4.6  # a face in one cell of a hundred, to begin with

    def maps(self, x):
        """The grids, then the feature maps they are read from."""
        f8 = self.stage8(x)
        f16 = self.stage16(f8)
        f32 = self.stage32(f16)
        f16 = self.mix16(torch.relu(f16 + self.down32(f32)))
        f8 = self.mix8(torch.relu(f8 + self.down16(f16)))
        return (self.head8(f8), self.head16(f16), self.head32(f32)), (f8, f16, f32)

    def forward(self, x):
        return self.maps(x)[0]


class Refiner(nn.Module):
    """A 64x64 square about a proposed face to 15 values: face logit, four box values, ten landmark values."""

    def __init__(self, channels=(16, 32, 64, 128), blocks=(2, 3, 1), hidden=192):
        super().__init__()
        a, b, c, d = self.channels = channels
        layer = lambda inputs, width, count: nn.Sequential(
            conv(inputs, width, stride=2), *[Residual(width) for _ in range(count)])
        self.stem = conv(3, a, stride=2)
        self.to16, self.to8, self.to4 = (layer(*shape) for shape in zip((a, b, c), (b, c, d), blocks))
        self.gather = nn.Sequential(
            nn.Conv2d(d, hidden, 4, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True))
        self.head = nn.Conv2d(hidden, OUTPUTS_PER_CELL, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def maps(self, x):
        """What the head reads from, then the feature maps at 8x8 and 4x4."""
        map8 = self.to8(self.to16(self.stem(x)))
        map4 = self.to4(map8)
        return self.gather(map4), map8, map4

    def forward(self, x):
        return self.head(self.maps(x)[0]).flatten(1)


class Embedder(nn.Module):
    """Dense residual network from an aligned 112x112 crop to a 128-value face embedding.

    `maps` gives, beside the embedding, the feature maps at 14x14 and 7x7 that training compares with
    the teacher's.
    """

    def __init__(self, channels=(16, 48, 96, 160), blocks=(1, 3, 3), dimensions=128, last=256):
        super().__init__()
        self.channels = channels
        stem, *stages = channels
        layer = lambda inputs, width, count: nn.Sequential(
            conv(inputs, width, stride=2), *[Residual(width) for _ in range(count)])
        self.stem = conv(3, stem, stride=2)
        self.to28, self.to14, self.to7 = (layer(*shape) for shape in zip(channels, stages, blocks))
        previous = stages[-1]
        self.widen = conv(previous, last, kernel=1)
        # One weight for each place on the face, not a pool: where a value was found matters. It is
        # the one depthwise convolution, and its output is a single place.
        self.gather = nn.Conv2d(last, last, 7, groups=last, bias=False)
        self.spread = nn.BatchNorm2d(last)
        self.project = nn.Conv2d(last, dimensions, 1, bias=False)
        self.normalise = nn.BatchNorm2d(dimensions)

    def maps(self, x):
        map14 = self.to14(self.to28(self.stem(x)))
        map7 = self.to7(map14)
        gathered = self.spread(self.gather(self.widen(map7)))
        return self.normalise(self.project(gathered)).flatten(1), map14, map7

    def forward(self, x):
        return self.maps(x)[0]
