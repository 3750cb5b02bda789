"""Where a detector and its teacher differ: the places in the training pictures that it has most to learn from.

A frame drawn at random is mostly ground that both agree on, and the faces in it are mostly those that the
detector already knows. Here the pictures are looked at once, at several sizes, by both; what is kept is a square
about each place where the teacher sees a face and the detector less of one, or the other way round.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from augment import hide, warp
from detections import detect, overlap
from schedule import by_two

SIDE = 640
SCALES = (1.0, 0.55, 1.25)
ACROSS = 5  # portraits beside each other in a frame
PORTRAIT_SCALES = (0.22, 0.67)
SIZES = (12, 280)  # of a face in the frame, px
LEAST = 0.1  # of a difference in score
REACH = 4.2  # the square's side over the face's
KEPT_SIZE = 80  # the largest face in a kept square, px
MOST_FALSE = 7000  # of the places where the detector sees more than the teacher, the worst


@dataclass
class Difference:
    """A square picture about a place; `gap` is the teacher's score less the detector's, `seen` the face's size
    where they differed, `size` its size in the square (px)."""

    gap: float
    seen: float
    size: float
    square: np.ndarray


def differences(frame, detector, teacher):
    """(gap, x, y, w, h) of each place of a frame where the two say something else; both give a frame's grids."""
    scores, boxes, _ = detect(teacher(frame), 0.05, 0.4)
    mine, my_boxes, _ = detect(detector(frame), 0.03, 0.5)
    common = overlap(boxes, my_boxes)
    found = []
    for score, box, row in zip(scores, boxes, common):
        if score >= 0.35:
            gap = score - (mine * (row > 0.4)).max(initial=0)
            gap += 0.15 * (row[mine > 0.3 * score].max(initial=0) < 0.6)  # nor is the box where it should be
            if gap > LEAST:
                found.append((gap, *box))
    for score, box, column in zip(mine, my_boxes, common.T):
        gap = (scores * (column > 0.3)).max(initial=0) - score
        if score >= 0.15 and gap < -LEAST:
            found.append((gap, *box))
    return [f for f in found if SIZES[0] <= max(f[3:]) < SIZES[1]]


def cut_out(rgb, gap, box, scale):
    """The Difference at a box of the picture at a scale."""
    seen = max(box[2:])
    x, y, w, h = np.array(box) / scale
    k = min(1.0, KEPT_SIZE * scale / seen)
    side = math.ceil(REACH * k * seen / scale)
    matrix = np.array([[k, 0, side / 2 - k * (x + w / 2)], [0, k, side / 2 - k * (y + h / 2)]])
    return Difference(gap, seen, k * seen / scale, warp(rgb, matrix, (side, side), (0, 0, 0)))


def find(pictures, portraits, detector, teacher, seed):
    """The Differences in pictures, each looked at SCALES, and in portraits, many beside each other in a frame."""

    def in_picture(k):
        rgb, found = pictures[k].decode(), []
        for scale in SCALES:
            frame = np.zeros((SIDE, SIDE, 3), np.uint8)
            shape = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=shape)[:SIDE, :SIDE]
            frame[: small.shape[0], : small.shape[1]] = small
            found += [cut_out(rgb, gap, box, scale) for gap, *box in differences(frame, detector, teacher)]
        return found

    def in_portraits(k):
        some, tile = portraits[ACROSS**2 * k : ACROSS**2 * (k + 1)], SIDE // ACROSS
        frame, found = np.zeros((SIDE, SIDE, 3), np.uint8), []
        scales = np.random.default_rng([seed, k]).uniform(*PORTRAIT_SCALES, len(some))
        decoded = [p.decode() for p in some]
        for i, (rgb, scale) in enumerate(zip(decoded, scales)):
            small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:tile, :tile]
            y, x = np.array(divmod(i, ACROSS)) * tile
            frame[y : y + small.shape[0], x : x + small.shape[1]] = small
        for gap, *box in differences(frame, detector, teacher):
            x, y = (int((low + size / 2) // tile) for low, size in zip(box[:2], box[2:]))
            if min(x, y) >= 0 and max(x, y) < ACROSS and (i := y * ACROSS + x) < len(some):
                box = [box[0] - x * tile, box[1] - y * tile, *box[2:]]
                found.append(cut_out(decoded[i], gap, box, scales[i]))
        return found

    frames = math.ceil(len(portraits) / ACROSS**2)
    found = [d for drawn in (by_two(in_picture, range(len(pictures))), by_two(in_portraits, range(frames)))
             for some in drawn for d in some]
    worst = sorted((d for d in found if d.gap < 0), key=lambda d: d.gap)[:MOST_FALSE]
    return [d for d in found if d.gap > 0] + worst


def tiled(found, chances, rng, side):
    """A frame of up to 36 tiles, each about one of the places drawn by their chances.

    Each is about as large as it was when they differed, turned, stretched and mirrored; part of a few is hidden.
    """
    across = (6, 4, 3, 2, 1)[int(rng.choice(5, p=(0.17, 0.33, 0.27, 0.17, 0.06)))]
    tile = side // across
    sizes = np.array([d.seen for d in found])
    chances = chances * (sizes < 0.52 * tile) * (sizes > 0.17 * tile)
    frame = np.empty((side, side, 3), np.uint8)
    for place, k in enumerate(rng.choice(len(found), across**2, p=chances / chances.sum())):
        d, corner = found[k], np.array(divmod(place, across)[::-1]) * tile
        scale = d.seen * math.exp(rng.uniform(-0.35, 0.3)) / d.size
        angle = rng.normal(0, 0.25) if rng.random() < 0.5 else 0.0
        a = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * scale
        a = a @ np.diag(np.exp(rng.normal(0, 0.07, 2)))
        if rng.random() < 0.5:
            a[:, 0] *= -1
        target = tile * rng.uniform(0.32, 0.68, 2)
        matrix = np.concatenate([a, (target - a @ np.full(2, d.square.shape[0] / 2))[:, None]], 1)
        border = None if rng.random() < 0.85 else (0, 0, 0)
        x, y = corner
        frame[y : y + tile, x : x + tile] = warp(d.square, matrix, (tile, tile), border)
        if rng.random() < 0.12:
            size = scale * d.size
            hide(frame, (*(corner + target - size / 2), size, size), rng)
    return frame


def chances_of(found):
    """How often each place is drawn: two thirds are faces that the detector sees less of; middling sizes twice as often."""
    gaps = np.array([d.gap for d in found])
    middling = np.array([1 + (24 <= d.seen <= 160) for d in found])
    less, more = middling * np.clip(gaps, 0, 0.7) ** 0.7, middling * np.clip(-gaps, 0, 0.5)
    return 0.68 * less / less.sum() + 0.32 * more / more.sum()
