"""YuNet as a teacher: its dense outputs on a frame, brought to the grid layout of our detector, its
feature maps, and what it sees in a picture on the average of several looks."""

import math

import numpy as np
import onnx
import onnxruntime

from augment import warp
from detections import detect, overlap
from faces_data import FLIPPED
from networks import STRIDES
from schedule import by_two


class YuNet:
    MAPS = ("287", "291", "295")  # 64 values a cell, from which its heads read
    MAP_VALUES = 64

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = onnx.load(str(path))
        for name in self.MAPS:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.names = [o.name for o in self.session.get_outputs() if o.name not in self.MAPS]

    def grids(self, rgb):
        """Per stride an array [15, H/s, W/s]: score (not a logit), box and landmark offsets.

        The frame's sides must be multiples of 32.
        """
        return self.look(rgb, self.names)[0]

    def look(self, rgb, names=None):
        """The grids, and with all names the feature maps [64, H/s, W/s]."""
        names = names or [*self.names, *self.MAPS]
        height, width = rgb.shape[:2]
        x = np.ascontiguousarray(rgb[:, :, ::-1].transpose(2, 0, 1)[None]).astype(np.float32)
        out = dict(zip(names, self.session.run(names, {"input": x})))
        grids = []
        for s in STRIDES:
            score = np.sqrt(np.clip(out[f"cls_{s}"] * out[f"obj_{s}"], 0, 1))
            rows = np.concatenate([score, out[f"bbox_{s}"], out[f"kps_{s}"]], axis=2)[0]
            grids.append(rows.T.reshape(15, height // s, width // s))
        return grids, [out[name][0] for name in self.MAPS if name in out]


def agreed(picture, teacher):
    """What the teacher sees in a picture on the average of eight looks: mean scores, boxes, landmarks.

    One look of YuNet's at the same face moved by a few pixels puts its landmarks 5.6% of the eyes'
    distance elsewhere (measured on LFW); the mean of several looks is a better lesson.
    """
    rgb, looks = picture.decode(), []
    for scale in (1.0, 1.4):
        for moved_by in ((0, 0), (5, 3)):
            for mirror in (False, True):
                height, width = (32 * math.ceil((n * scale + 8) / 32) for n in rgb.shape[:2])
                frame = warp(rgb, np.array([[scale, 0, moved_by[0]], [0, scale, moved_by[1]]], float), (width, height), (0, 0, 0))
                if mirror:
                    frame = np.ascontiguousarray(frame[:, ::-1])
                scores, boxes, points = detect(teacher.grids(frame), 0.1)
                if mirror:
                    boxes[:, 0] = width - 1 - boxes[:, 0] - boxes[:, 2]
                    points = points[:, FLIPPED]
                    points[:, :, 0] = width - 1 - points[:, :, 0]
                boxes[:, :2] -= moved_by
                looks.append((scores, boxes / scale, (points - moved_by) / scale))
    scores, boxes, points = (np.concatenate(part) for part in zip(*looks))
    found, left = [], np.ones(len(scores), bool)
    for i in np.argsort(-scores):
        if left[i]:
            same = left & (overlap(boxes[i : i + 1], boxes)[0] > 0.45)
            left[same] = False
            weight = scores[same] / scores[same].sum()
            found.append((scores[same].sum() / len(looks), (weight[:, None] * boxes[same]).sum(0),
                          (weight[:, None, None] * points[same]).sum(0)))
    return found


def learn(pictures, teacher):
    """Adds to each picture what the teacher sees in it; returns the boxes that it only suspects."""
    suspected = []
    seen = by_two(lambda k: seen_in(pictures[k], teacher), range(len(pictures)))
    for picture, (boxes, landmarks, doubtful) in zip(pictures, seen):
        picture.boxes, picture.landmarks = boxes, landmarks
        suspected.append(doubtful)
    return suspected


def seen_in(picture, teacher):
    """A picture's boxes with the teacher's added, their landmarks, and the boxes that it only suspects."""
    annotated, boxes = len(picture.boxes) > 0, list(picture.boxes)
    points = [np.full((5, 2), np.nan) for _ in boxes]
    doubtful = []
    for score, box, landmarks in agreed(picture, teacher):
        near = overlap(box[None], np.array(boxes))[0] if boxes else np.zeros(1)
        if near.max() > 0.4:
            points[int(near.argmax())] = landmarks
        elif score >= 0.45:
            boxes.append(box), points.append(landmarks)
        elif not annotated:
            doubtful.append(box)
    return (np.array(boxes, np.float32).reshape(-1, 4), np.array(points, np.float32).reshape(-1, 5, 2),
            np.array(doubtful).reshape(-1, 4))
