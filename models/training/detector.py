"""Trains the face detector and exports it for 640x384 and 320x192 frames.

    python detector.py --data DATA --work WORK [--rendered FOLDER ..] [--steps 13000] [--resume]

DATA holds `faces/` (WIDER FACE and LFW parts) and `models/yunet_n_dynamic.onnx`, the teacher.
Every training frame is cut and pasted from pictures; the teacher looks at the clean frame, the
network at the same frame in bad light and with some faces partly hidden, and the network learns the
teacher's grids cell by cell. With `--matched N` the teacher looks at N of the new frames as the network
sees them, blended, bent and in bad light; of those, with `--dense M`, M are tiles about the places where
the network begun with and the teacher differ (`differences.py`).
Annotated faces that the teacher misses are added, and rendered pictures bring their own truth.
A checkpoint in WORK every few hundred steps makes a run resumable; `--steps 0` only measures and
exports. The same seed draws the same frames.
"""

import copy
import math
import pickle
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import differences
from augment import bent, hide, photometric, put, unface, warp
from detections import landmark_error, overlap, decode, recall_by_size, detect, letterbox
from export import MEAN, SCALE, export
from faces_data import FLIPPED, decode_thing, read_identities, read_rendered, read_things, read_wider
import schedule
import shipped
from muon import Muon
from networks import STRIDES, Detector
from schedule import Average
from yunet import YuNet, learn

SIDE = 384
SIZE_LIMITS = {8: 42, 16: 105, 32: 1e9}  # where the teacher's strides hand over, by face size
MISSED_SCORE = 0.8


def level_of(size):
    return next(i for i, s in enumerate(STRIDES) if size < SIZE_LIMITS[s])


class Frames:
    """Draws training frames with their target grids."""

    def __init__(self, wider, portraits, scenes, shoppers, things, teacher, rendered_share):
        self.things, self.differing, self.chances = things, [], []
        self.wider, self.portraits = wider, portraits
        self.scenes, self.shoppers = scenes, shoppers
        self.teacher = teacher
        self.rendered_share = rendered_share if scenes or shoppers else 0.0
        self.recent = deque(maxlen=1000)

    def differ(self, network, kept, before, seed):
        """Finds what the network and the teacher differ about, or reads what was found when the run began.

        What an earlier run learnt from, the file `before`, is drawn as if they differed by a third as much."""
        if kept.exists():
            self.differing = pickle.loads(kept.read_bytes())
        else:
            self.differing = differences.find(self.wider, self.portraits, grids_of(network), self.teacher.grids, seed)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(pickle.dumps(self.differing))
        if before:
            self.differing += [replace(d, gap=0.35 * d.gap) for d in pickle.loads(before.read_bytes())]
        self.chances = differences.chances_of(self.differing)
        print(f"{len(self.differing)} places where network and teacher differ", flush=True)

    def draw_picture(self, rng):
        if rng.random() < self.rendered_share:
            pool = self.scenes if self.scenes and (not self.shoppers or rng.random() < 0.7) else self.shoppers
        else:
            pool = self.wider if rng.random() < 0.72 else self.portraits
        return pool[int(rng.integers(len(pool)))]

    def place(self, picture, rng, width, height):
        """One picture scaled, moved and mirrored into a tile; its boxes and landmarks there."""
        rgb = picture.decode()
        h, w = rgb.shape[:2]
        focus, face = np.array([w / 2, h / 2]), None
        if len(picture.boxes):
            if rng.random() < 0.8:
                x, y, fw, fh = picture.boxes[int(rng.integers(len(picture.boxes)))]
                focus, face = np.array([x + fw / 2, y + fh / 2]), math.sqrt(max(fw * fh, 1))
        elif picture.identity:
            face = 0.5 * w  # a portrait: the middle half is the face
        if face is not None and rng.random() < 0.75:
            largest = min(340, 1.25 * min(width, height))
            scale = math.exp(rng.uniform(math.log(13), math.log(largest))) / face
            scale = min(scale, 3.5 if picture.identity else 2.5)
        else:
            scale = math.exp(rng.uniform(math.log(0.4), math.log(1.6)))
        scale = max(scale, 8 / min(h, w))
        kind = rng.random()  # upright, a head to a side, or a picture that lies
        angle = 0.0 if kind < 0.45 else rng.normal(0, 0.2) if kind < 0.88 else rng.uniform(-2, 2)
        flip = rng.random() < 0.5
        a = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * scale
        if flip:
            a[:, 0] *= -1
        target = np.array([rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height])
        # A picture that could cover the tile should: shift it over the worst gap.
        matrix = np.concatenate([a, (target - a @ focus)[:, None]], axis=1)
        corners = np.array([[0, 0], [w, 0], [0, h], [w, h]]) @ a.T + matrix[:, 2]
        low, high = corners.min(0), corners.max(0)
        for k, side in ((0, width), (1, height)):
            if high[k] - low[k] >= side:
                matrix[k, 2] += min(0, -low[k]) + max(0, side - high[k])
        border = None
        if picture.complete or rng.random() < 0.85:
            border = tuple(int(v) for v in rng.integers(0, 256, 3)) if rng.random() < 0.6 else (0, 0, 0)
        tile = warp(rgb, matrix, (width, height), border)

        boxes, landmarks = picture.boxes, picture.landmarks
        if len(boxes):
            centre = (boxes[:, :2] + boxes[:, 2:] / 2) @ a.T + matrix[:, 2]
            size = boxes[:, 2:] * scale
            boxes = np.concatenate([centre - size / 2, size], axis=1)
            landmarks = landmarks @ a.T + matrix[:, 2]
            if flip:
                landmarks = landmarks[:, FLIPPED]
        return tile, boxes, landmarks

    def draw(self, rng, again, matched=False, dense=False):
        """A frame in some light with its targets; with `again`, a recent frame in another light.

        With `matched` the teacher sees what the network sees, a frame that may be two in one and bent, and its
        word alone counts: so it can be asked about far more than there are pictures. With `dense` it is one
        of what network and teacher differ about.
        """
        if matched:
            if dense:
                frame = differences.tiled(self.differing, self.chances, rng, SIDE)
            else:
                frame = self.paste(rng)[0]
            if rng.random() < (0.2 if dense else 0.6):
                frame = cv2.addWeighted(frame, share := rng.uniform(0.4, 0.8), self.paste(rng)[0], 1 - share, 0)
            if rng.random() < (0.25 if dense else 0.5):
                frame = bent(frame, rng)
            frame = photometric(frame, rng, 0.7 if dense else 1.0)
            grids, maps = self.teacher.look(frame)
            weights = [np.ones((2, *g.shape[1:]), np.float32) for g in grids]
            return frame, [g.astype(np.float32) for g in grids], weights, [m.astype(np.float16) for m in maps]
        if again and len(self.recent) > 200:
            frame, *lesson = self.recent[int(rng.integers(len(self.recent)))]
        else:
            frame, *lesson = drawn = self.compose(rng)
            self.recent.append(drawn)
        if rng.random() < 0.5:  # the teacher saw these faces
            frame = frame.copy()
            for box in detect(lesson[0], 0.5)[1]:
                if rng.random() < 0.4:
                    hide(frame, box, rng)
        return photometric(frame, rng), *lesson

    def compose(self, rng):
        frame, known, tiles = self.paste(rng)
        return frame, *self.targets(frame, known, tiles)

    def paste(self, rng):
        """A frame cut and pasted from pictures, the faces known in it, and the tiles whose faces all are."""
        frame = np.empty((SIDE, SIDE, 3), np.uint8)
        style = rng.random()
        if style < 0.45:
            cuts_x, cuts_y = [0, SIDE], [0, SIDE]
        elif style < 0.85:
            cuts_x, cuts_y = ([0, int(rng.integers(96, SIDE - 96)), SIDE] for _ in range(2))
        else:
            cuts_x, cuts_y = [0, 128, 256, SIDE], [0, 128, 256, SIDE]
        known, tiles = [], []
        for y0, y1 in zip(cuts_y, cuts_y[1:]):
            for x0, x1 in zip(cuts_x, cuts_x[1:]):
                picture = self.draw_picture(rng)
                tile, boxes, landmarks = self.place(picture, rng, x1 - x0, y1 - y0)
                frame[y0:y1, x0:x1] = tile
                if picture.complete or picture.annotated:
                    tiles.append((x0, y0, x1, y1, 0.0 if picture.complete else 0.5))
                for box, points in zip(boxes, landmarks):
                    low = np.maximum(box[:2], 0)
                    high = np.minimum(box[:2] + box[2:], [x1 - x0, y1 - y0])
                    visible = np.prod(np.clip(high - low, 0, None)) / max(np.prod(box[2:]), 1e-6)
                    shift = np.array([x0, y0])
                    known.append((np.concatenate([box[:2] + shift, box[2:]]), points + shift,
                                  visible, picture.complete))
        # Heads without a face, and things that are none.
        for _ in range(int(rng.integers(1, 3)) if self.things and rng.random() < 0.35 else 0):
            heads = [k for k, (box, _, visible, _) in enumerate(known) if visible > 0.6 and max(box[2:]) >= 20]
            if heads:
                unface(frame, known.pop(heads[int(rng.integers(len(heads)))])[0], rng)
        for _ in range(int(rng.integers(1, 4)) if self.things and rng.random() < 0.45 else 0):
            x, y, w, h = put(frame, decode_thing(self.things[int(rng.integers(len(self.things)))]), rng)
            tiles.append((x, y, x + w, y + h, 0.0))
            for k, (box, points, visible, complete) in enumerate(known):
                common = np.minimum(box[:2] + box[2:], [x + w, y + h]) - np.maximum(box[:2], [x, y])
                hidden = np.prod(np.clip(common, 0, None)) / max(np.prod(box[2:]), 1e-6)
                known[k] = box, points, visible - 0.8 * hidden, complete
        return frame, known, tiles

    def targets(self, frame, known, tiles):
        """Teacher's grids, mended where the truth is known; two weights per cell, one for the score
        and one for the landmarks; and the teacher's feature maps.

        The teacher's scores stay where it found the face: they fall off softly around it and from
        stride to stride. Hard targets in one cell of one stride would halve the score of every face
        between two cells. Where it sees a face that nobody annotated, half its score stays, and none in
        `tiles` whose faces are all known.
        """
        grids, maps = self.teacher.look(frame)
        grids = [g.astype(np.float32) for g in grids]
        weights = [np.ones(g.shape[1:], np.float32) for g in grids]
        point_weights = [np.ones(g.shape[1:], np.float32) for g in grids]
        known_boxes = np.array([k[0] for k in known]).reshape(-1, 4)
        for g, s in zip(grids, STRIDES):
            for x0, y0, x1, y1, doubt in tiles:
                rows, columns = np.nonzero(g[0] > 0.05)
                inside = (columns * s >= x0) & (columns * s < x1) & (rows * s >= y0) & (rows * s < y1)
                rows, columns = rows[inside], columns[inside]
                if not len(rows):
                    continue
                v = g[:, rows, columns]
                w, h = np.exp(v[3]) * s, np.exp(v[4]) * s
                boxes = np.stack([(columns + v[1]) * s - w / 2, (rows + v[2]) * s - h / 2, w, h], 1)
                match = overlap(boxes, known_boxes) if len(known) else np.zeros((len(boxes), 1))
                sure = match.max(1) > 0.4
                g[0, rows[match.max(1) < 0.2], columns[match.max(1) < 0.2]] *= doubt
                for r, c, owner in zip(rows[sure], columns[sure], match.argmax(1)[sure]):
                    if known[owner][3]:
                        g[5:, r, c] = (known[owner][1] / s - np.array([c, r])).reshape(-1)
        _, boxes, _ = decode(grids, 0.4)
        for box, points, visible, _ in known:
            size = math.sqrt(box[2] * box[3])
            centre = box[:2] + box[2:] / 2
            if visible < 0.05 or (len(boxes) and (overlap(box[None], boxes)[0] > 0.4).any()):
                continue
            reach = max(0.17 * size, 4.0)
            # Neither a face nor background: the cells about a face that is cut off or too small,
            # and those about the chosen cells of a face that the teacher missed.
            around = 0.5 * box[2:] if visible < 0.6 or size < 13 else np.full(2, 2 * reach)
            for w, s in zip(weights, STRIDES):
                x0, y0 = np.maximum(np.floor((centre - around) / s).astype(int), 0)
                x1, y1 = np.ceil((centre + around) / s).astype(int) + 1
                w[y0:y1, x0:x1] = 0
            if visible < 0.6 or size < 13:
                continue
            level = level_of(size)
            g, s = grids[level], STRIDES[level]
            cells = [(r, c) for r in range(g.shape[1]) for c in range(g.shape[2])
                     if max(abs(c * s - centre[0]), abs(r * s - centre[1])) <= max(reach, s / 2)]
            for r, c in cells:
                g[0, r, c] = MISSED_SCORE
                g[1:5, r, c] = (centre[0] / s - c, centre[1] / s - r, math.log(box[2] / s), math.log(box[3] / s))
                weights[level][r, c] = 1
                if np.isnan(points).any():
                    point_weights[level][r, c] = 0
                else:
                    g[5:, r, c] = (points / s - np.array([c, r])).reshape(-1)
        return grids, [np.stack(w) for w in zip(weights, point_weights)], [m.astype(np.float16) for m in maps]


def loss_of(outputs, targets, weights):
    """Quality focal loss for the score, by the gap on faces and by its square elsewhere; for boxes and landmarks
    distances over the face's size."""
    score_loss = box_loss = point_loss = 0.0
    mass = point_mass = 0.0
    for out, target, weight in zip(outputs, targets, weights):
        out = out.float()
        logit, truth = out[:, 0], target[:, 0]
        probability = logit.sigmoid()
        gap = (truth - probability).abs()
        focal = torch.where(truth > 0.1, gap, gap.pow(2))
        bce = F.binary_cross_entropy_with_logits(logit, truth, reduction="none")
        score_loss = score_loss + (focal * bce * weight[:, 0]).sum()

        at = truth > 0.25
        if at.any():
            w = truth[at] * weight[:, 0][at]
            o, t = out.permute(0, 2, 3, 1)[at], target.permute(0, 2, 3, 1)[at]
            size = t[:, 3:5].exp()
            scale = size.prod(1).sqrt()[:, None]
            box = ((o[:, 1:3] - t[:, 1:3]) / size).abs().sum(1) + 0.7 * (o[:, 3:5] - t[:, 3:5]).abs().sum(1)
            box_loss = box_loss + (w * box).sum()
            pw = w * weight[:, 1][at]
            point_loss = point_loss + (pw * ((o[:, 5:] - t[:, 5:]) / scale).abs().mean(1)).sum()
            mass = mass + w.sum()
            point_mass = point_mass + pw.sum()
    mass = torch.as_tensor(mass).clamp(min=1.0)
    point_mass = torch.as_tensor(point_mass).clamp(min=1.0)
    return score_loss / mass, box_loss / mass, point_loss / point_mass


def hint_loss(guesses, maps, targets, scales):
    """Squared distance to the teacher's feature maps, in deviations from each channel's mean; a face
    counts eleven times a cell of background."""
    loss = mass = 0.0
    for guess, truth, target, (mean, deviation) in zip(guesses, maps, targets, scales):
        weight = 0.1 + target[:, 0]
        truth = ((truth.float() - mean) / deviation).clamp(-4, 4)
        loss = loss + (weight * (guess.float() - truth).pow(2).mean(1)).sum()
        mass = mass + weight.sum()
    return loss / mass


def grids_of(network):
    """A function from an RGB frame to decoded-ready numpy grids, for measuring."""
    network = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)

    def run(frame):
        x = (torch.from_numpy(frame).permute(2, 0, 1)[None].float() - MEAN) * SCALE
        with torch.no_grad():
            outputs = [o[0].float() for o in network(x.contiguous(memory_format=torch.channels_last))]
        for o in outputs:
            o[0] = o[0].sigmoid()
        return [o.numpy() for o in outputs]

    return run


def measure(network, wider_val, portraits, scenes, teacher):
    run = grids_of(network)
    figures = {f"WIDER FACE val part, {w}x{h}": recall_by_size(wider_val, run, width=w, height=h)
               for w, h in ((640, 384), (640, 640))}
    figures["landmark error against YuNet, WIDER FACE val part"] = round(landmark_error(wider_val, run, teacher.grids), 4)
    if portraits:
        found = sum(len(detect(run(letterbox(p.decode(), 192, 192)[0]))[0]) > 0 for p in portraits)
        figures["LFW held-out people: a face found"] = f"{found} of {len(portraits)}"
        figures["landmark error against YuNet, LFW held-out people"] = round(
            landmark_error(portraits[:300], run, teacher.grids, 192, 192), 4)
    if scenes:
        figures["rendered scenes held out"] = recall_by_size(scenes, run)
    return figures


def export_both(network, folder, figures, version, rendered, things):
    training = {
        "teacher": "YuNet n (ShiqiYu/libfacedetection.train, Apache-2.0)",
        "data": [
            {"name": "WIDER FACE, 1,239 pictures of the train part, 690 with annotations", "terms": "research only"},
            {"name": "LFW deep-funneled, people whose name's SHA-256 is not divisible by 5", "terms": "research only"},
        ] + ([{"name": "rendered shoppers and scenes", "terms": "this project's own"}] if rendered else [])
          + ([{"name": "Tux Paint stamps 2022.06.04, 359 cut-out photographs of things and animals", "terms": "GPL-2"}]
             if things else []),
        "note": "The photographs are for research only as their sources state, and weights learnt "
                "from them are offered in that spirit. For commercial use put in a licensed model: "
                "drop its file and a card of this form into models/.",
    }
    for stem, shape, also in (("detector-640", (1, 3, 384, 640), [(1, 3, 480, 640), (1, 3, 640, 640)]),
                              ("detector-320", (1, 3, 192, 320), [])):
        export(network, folder, stem, shape, ["s8", "s16", "s32"], {
            "name": "shopguide-detector", "version": version, "task": "detect",
            "output": {"decoding": "grid", "names": ["s8", "s16", "s32"], "strides": list(STRIDES)},
            "threshold": {"score": 0.5, "nms": 0.3}, "figures": figures, "training": training}, also)


def main():
    parser = schedule.arguments_of(__doc__, 13_000, 16, 500)
    parser.add_argument("--rendered-share", type=float, default=0.15)
    parser.add_argument("--fresh", type=int, default=12, help="new frames a step; the others are recent ones in another light")
    parser.add_argument("--matched", type=int, default=0,
                        help="of the new frames, those of which the teacher sees what the network does: blended, bent, in bad light")
    parser.add_argument("--dense", type=int, default=0,
                        help="of the matched frames, those of places where the network begun with and the teacher differ")
    parser.add_argument("--differences", type=Path, help="with --dense: WORK/differences.pkl of an earlier run, drawn from as well")
    parser.add_argument("--things", type=Path, nargs="+", default=[], help="folders of cut-out pictures without a human face")
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--hint-weight", type=float, default=0.3,
                        help="of the teacher's feature maps at the start; a fifth of it at the end")
    parser.add_argument("--begin-with", type=Path, help="a shipped detector-640.onnx, to go on from its weights")
    parser.add_argument("--restart-schedule", action="store_true", help="with --resume: keep the weights only")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(arguments.seed)
    faces = arguments.data / "faces"
    teacher = YuNet(arguments.data / "models" / "yunet_n_dynamic.onnx")
    wider_val = read_wider(faces / "wider-val-dev.zip")
    held = read_identities(faces / "lfw-dev.zip", "held-out")[:1000]
    scenes = shoppers = held_scenes = []
    if arguments.rendered:
        scenes = read_rendered(arguments.rendered, "train", True)
        shoppers = read_rendered(arguments.rendered, "train", False)
        held_scenes = read_rendered(arguments.rendered, "held-out", True)
    wider = read_wider(faces / "wider-train.zip")
    learn(wider, teacher)
    frames = Frames(wider, read_identities(faces / "lfw-dev.zip", "train"),
                    scenes, shoppers, read_things(arguments.things), teacher, arguments.rendered_share)

    network = Detector()
    if arguments.begin_with:
        first = np.random.default_rng(arguments.seed)
        seen = torch.from_numpy(np.stack([frames.compose(first)[0] for _ in range(16)])).permute(0, 3, 1, 2)
        shipped.read([arguments.begin_with], network, (seen.float() - MEAN) * SCALE)
    if arguments.dense:
        frames.differ(network, arguments.work / "differences.pkl", arguments.differences, arguments.seed)
    network = network.to(memory_format=torch.channels_last)
    average = Average(network)
    adapters = torch.nn.ModuleList(torch.nn.Conv2d(c, YuNet.MAP_VALUES, 1) for c in network.channels[2:])
    adapters = adapters.to(memory_format=torch.channels_last)
    first = np.random.default_rng(arguments.seed)
    maps = [np.stack(m).astype(np.float32) for m in zip(*[frames.compose(first)[3] for _ in range(64)])]
    scales = [(torch.from_numpy(m.mean((0, 2, 3)))[None, :, None, None],
               torch.from_numpy(np.maximum(d := m.std((0, 2, 3)), 0.2 * np.median(d)))[None, :, None, None])
              for m in maps]
    matrices = [p for n, p in network.named_parameters() if p.ndim == 4 and not n.startswith("head")]
    others = [p for n, p in network.named_parameters() if p.ndim != 4 or n.startswith("head")]
    optimisers = [Muon(matrices, lr=arguments.rate, weight_decay=0.01),
                  torch.optim.AdamW([*others, *adapters.parameters()], lr=0.15 * arguments.rate, weight_decay=0.0)]
    bases = [o.param_groups[0]["lr"] for o in optimisers]
    start = 0
    checkpoint = arguments.work / "detector.pt"
    if arguments.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        average.network.load_state_dict(state["average"])
        network.load_state_dict(state["average" if arguments.restart_schedule else "network"])
        if not arguments.restart_schedule:
            for o, s in zip(optimisers, state["optimisers"]):
                o.load_state_dict(s)
            start = state["step"]
        adapters.load_state_dict(state["adapters"])

    def save(step):
        schedule.save(checkpoint, network=network.state_dict(), average=average.network.state_dict(),
                      adapters=adapters.state_dict(), optimisers=[o.state_dict() for o in optimisers], step=step)

    def finish():
        figures = measure(average.network, wider_val, held, held_scenes, teacher)
        print(figures, flush=True)
        if not arguments.no_export:
            export_both(average.network, arguments.out, figures, arguments.card_version, bool(arguments.rendered),
                        bool(arguments.things))

    def draw(step):
        rng = np.random.default_rng([arguments.seed, step])
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        batch = [frames.draw(rng, i >= arguments.fresh, i < arguments.matched, i < arguments.dense)
                 for i in range(arguments.batch)]
        return np.stack([b[0] for b in batch]), *([np.stack(level) for level in zip(*[b[k] for b in batch])]
                                                  for k in (1, 2, 3))

    network.train()
    began, sums = time.time(), np.zeros(4)
    steps = range(start, arguments.steps)
    for step, (images, *lesson) in zip(steps, schedule.ahead(draw, steps)):
        images = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - MEAN) * SCALE
        images = images.contiguous(memory_format=torch.channels_last)
        targets, weights, maps = ([torch.from_numpy(level) for level in part] for part in lesson)

        rate = arguments.rate * schedule.share(step, arguments.steps, 200)
        for optimiser, base in zip(optimisers, bases):
            optimiser.param_groups[0]["lr"] = base * rate / arguments.rate
            optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            outputs, features = network.maps(images)
            guesses = [adapter(f) for adapter, f in zip(adapters, features)]
        parts = [*loss_of(outputs, targets, weights), hint_loss(guesses, maps, targets, scales)]
        hint_weight = arguments.hint_weight * (1 - 0.8 * step / arguments.steps)
        loss = parts[0] + 1.0 * parts[1] + 4.0 * parts[2] + hint_weight * parts[3]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        for optimiser in optimisers:
            optimiser.step()
        average.follow(network, step)
        sums += [float(p.detach()) for p in parts]
        if (step + 1) % 50 == 0:
            spent = time.time() - began
            print(f"step {step + 1} rate {rate:.5f} score {sums[0] / 50:.3f} box {sums[1] / 50:.3f} "
                  f"points {sums[2] / 50:.4f} maps {sums[3] / 50:.4f} {spent:.0f}s", flush=True)
            sums[:] = 0
        if (step + 1) % arguments.every == 0:
            save(step + 1)
            if (step + 1) % (4 * arguments.every) == 0:
                finish()
    if start < arguments.steps:
        save(arguments.steps)
    finish()


if __name__ == "__main__":
    main()
