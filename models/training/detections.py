"""From grids to faces and figures: decoding, non-maximum suppression, recall and landmark error."""

import cv2
import numpy as np

from networks import STRIDES


def letterbox(rgb, width, height):
    """The picture scaled down to fit at the top left of a black frame (never up); and the scale."""
    scale = min(width / rgb.shape[1], height / rgb.shape[0], 1.0)
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    frame = np.zeros((height, width, 3), np.uint8)
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    frame[: size[1], : size[0]] = small
    return frame, scale


def decode(grids, threshold):
    """(scores, boxes as x y w h, landmarks) of every cell whose score passes, all strides."""
    scores, boxes, points = [], [], []
    for grid, s in zip(grids, STRIDES):
        rows, columns = np.nonzero(grid[0] >= threshold)
        v = grid[:, rows, columns]
        w, h = np.exp(v[3]) * s, np.exp(v[4]) * s
        boxes.append(np.stack([(columns + v[1]) * s - w / 2, (rows + v[2]) * s - h / 2, w, h], 1))
        cell = np.stack([columns, rows], 1)[:, None]
        points.append((v[5:].T.reshape(-1, 5, 2) + cell) * s)
        scores.append(v[0])
    return np.concatenate(scores), np.concatenate(boxes), np.concatenate(points)


def overlap(a, b):
    """Intersection over union of every box in a with every box in b."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None]
    return common / np.maximum(areas - common, 1e-9)


def detect(grids, threshold=0.5, nms=0.3):
    scores, boxes, points = decode(grids, threshold)
    order = np.argsort(-scores)
    kept = []
    ious = overlap(boxes, boxes)
    for i in order:
        if all(ious[i, j] <= nms for j in kept):
            kept.append(i)
    return scores[kept], boxes[kept], points[kept]


def recall_by_size(pictures, grids_of, threshold=0.5, width=640, height=384):
    """Recall at IoU 0.5 by the face's size (geometric mean of its sides) in the frame, and the
    boxes of at least 30 px that meet no annotated face at IoU 0.3."""
    bands = {"60+": (60, 1e9), "30-60": (30, 60), "16-30": (16, 30)}
    found = {k: [0, 0] for k in bands}
    false_boxes = 0
    for picture in pictures:
        frame, scale = letterbox(picture.decode(), width, height)
        _, boxes, _ = detect(grids_of(frame), threshold)
        truth = picture.boxes * scale
        ious = overlap(truth, boxes)
        sizes = np.sqrt(np.prod(truth[:, 2:], axis=1))
        for size, row in zip(sizes, ious):
            for k, (low, high) in bands.items():
                if low <= size < high:
                    found[k][1] += 1
                    found[k][0] += int(row.max(initial=0) >= 0.5)
        large = np.sqrt(np.prod(boxes[:, 2:], axis=1)) >= 30
        if large.any():
            best = ious[:, large].max(axis=0) if len(truth) else np.zeros(large.sum())
            false_boxes += int((best < 0.3).sum())
    result = {k: round(a / max(b, 1), 4) for k, (a, b) in found.items()}
    return result | {"false boxes from 30 px": false_boxes, "faces": {k: b for k, (_, b) in found.items()}}


def landmark_error(pictures, grids_of, reference_of, width=640, height=384, threshold=0.5):
    """Mean distance to the reference's landmarks over the reference's eyes' distance, by match."""
    errors = []
    for picture in pictures:
        frame, _ = letterbox(picture.decode(), width, height)
        _, boxes, points = detect(grids_of(frame), threshold)
        _, ref_boxes, ref_points = detect(reference_of(frame), threshold)
        ious = overlap(ref_boxes, boxes)
        for i, row in enumerate(ious):
            if len(row) and row.max() >= 0.5 and ref_boxes[i, 2] >= 24:
                eyes = np.linalg.norm(ref_points[i, 0] - ref_points[i, 1])
                gap = np.linalg.norm(points[row.argmax()] - ref_points[i], axis=1).mean()
                errors.append(gap / max(eyes, 0.3 * ref_boxes[i, 2]))
    return float(np.mean(errors)) if errors else float("nan")
