"""Trains the refiner: a second look at each face that the detector proposes.

    python refiner.py --data DATA --work WORK [--rendered FOLDER ..] [--steps 8000] [--resume]

The detector sees a whole frame in a few milliseconds; its boxes are a little off and some hold no
face. The refiner sees one box at a time, a square of 64x64 pixels, and says whether it is a face,
where its box is and where its five landmarks are. It learns from the detector's own proposals on
training pictures (so `detector.py` comes first), and from boxes that were moved on purpose. What is
true comes from the annotations; where there are none, and for the landmarks, from YuNet's mean of
eight looks.

Proposals are kept in WORK; a checkpoint makes a run resumable. The same seed draws the same crops.
"""

import copy
import math
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F

from augment import photometric, warp
from detections import detect, letterbox, overlap
from export import MEAN, SCALE, export
from faces_data import FLIPPED, read_identities, read_rendered, read_wider
import schedule
import shipped
from networks import Refiner
from schedule import Average
from yunet import YuNet, learn

SIDE = 64
SAY = 0.65  # what the refiner's word counts in a score, the detector's the rest; the appliance has the same
REACH = 1.5  # the square's side over the longer side of the proposed box
VALUES = 14  # box: middle x, y, log width, log height; then five landmarks, all in units of the square


class Proposals:
    """What the exported detector proposes, down to a low score."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def grids(self, frame):
        x = (frame.transpose(2, 0, 1)[None].astype(np.float32) - MEAN) * np.float32(SCALE)
        grids = [g[0] for g in self.session.run(None, {"input": x})]
        for grid in grids:
            grid[0] = 1 / (1 + np.exp(-grid[0]))
        return grids


def square_of(box):
    """Left, top and side of the square that the refiner sees of a box."""
    side = REACH * max(box[2], box[3])
    return box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2, side


def look(frame, box):
    """The 64x64 crop; outside the frame is black."""
    left, top, side = square_of(box)
    k = SIDE / side
    # Pixel centres: the crop's pixel 0 covers the square's first 1/64.
    shift = 0.5 * k - 0.5
    return warp(frame, np.array([[k, 0, -left * k + shift], [0, k, -top * k + shift]]), (SIDE, SIDE), (0, 0, 0))


def aim(box, truth, points):
    """Box and landmarks in units of the square about the proposed box."""
    left, top, side = square_of(box)
    middle = (truth[:2] + truth[2:] / 2 - [left, top]) / side - 0.5
    return np.concatenate([middle, np.log(truth[2:] / side), ((points - [left, top]) / side - 0.5).reshape(-1)])


def moved(box, rng):
    """The box as a poor detector would give it."""
    size = np.exp(rng.normal(0, 0.16, 2) + rng.normal(0, 0.12))
    middle = box[:2] + box[2:] / 2 + rng.normal(0, 0.1, 2) * box[2:]
    return np.concatenate([middle - box[2:] * size / 2, box[2:] * size])


class Source:
    """Draws frames and what is in them."""

    def __init__(self, wider, portraits, scenes, shoppers, teacher, detector):
        self.pools = [p for p in (wider, portraits, scenes, shoppers) if p]
        shares = [s for p, s in zip((wider, portraits, scenes, shoppers), (0.66, 0.2, 0.08, 0.06)) if p]
        self.shares = np.array(shares) / sum(shares)
        self.detector = detector
        self.doubtful = {}
        for picture in [*wider, *portraits]:
            self.doubtful[id(picture)] = learn(picture, teacher)

    def crops(self, seed, number):
        """Crops with label (1, 0), values and their weight (box, landmarks) from frame `number`."""
        rng = np.random.default_rng([seed, number])
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        pool = self.pools[int(rng.choice(len(self.pools), p=self.shares))]
        picture = pool[int(rng.integers(len(pool)))]
        rgb = picture.decode()
        fit = min(640 / rgb.shape[1], 384 / rgb.shape[0])
        scale = fit * math.exp(rng.uniform(math.log(0.35), math.log(1.35)))
        if picture.identity:
            scale = math.exp(rng.uniform(math.log(0.25), math.log(1.9)))
        angle = rng.normal(0, 0.12) if rng.random() < 0.3 else 0.0
        a = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * scale
        middle = np.array([rgb.shape[1] / 2, rgb.shape[0] / 2])
        if len(picture.boxes) and scale > fit:
            b = picture.boxes[int(rng.integers(len(picture.boxes)))]
            middle = b[:2] + b[2:] / 2
        target = np.array([rng.uniform(0.35, 0.65) * 640, rng.uniform(0.35, 0.65) * 384])
        matrix = np.concatenate([a, (target - a @ middle)[:, None]], 1)
        frame = photometric(warp(rgb, matrix, (640, 384), (0, 0, 0)), rng, 0.6)

        def there(boxes):
            centre = (boxes[:, :2] + boxes[:, 2:] / 2) @ a.T + matrix[:, 2]
            return np.concatenate([centre - boxes[:, 2:] * scale / 2, boxes[:, 2:] * scale], 1)

        truths, landmarks = there(picture.boxes), picture.landmarks @ a.T + matrix[:, 2]
        doubtful = there(self.doubtful.get(id(picture), np.zeros((0, 4))))
        found_scores, found, _ = detect(self.detector.grids(frame), 0.03, 0.5)
        proposals = list(found[:24])
        large = np.flatnonzero(np.sqrt(truths[:, 2] * truths[:, 3]) >= 10)
        for k in rng.permutation(large)[:8]:
            proposals += [moved(truths[k], rng) for _ in range(2)]
        for _ in range(2):
            size = math.exp(rng.uniform(math.log(14), math.log(200)))
            proposals.append(np.array([rng.uniform(0, 640 - size / 2), rng.uniform(0, 384 - size / 2), size, size * 1.2]))
        for box in proposals:
            if max(box[2], box[3]) < 11:
                continue
            near = overlap(box[None], truths)[0] if len(truths) else np.zeros(1)
            best = int(near.argmax())
            if near[best] > 0.33:
                low, high = np.maximum(truths[best][:2], 0), np.minimum(truths[best][:2] + truths[best][2:], [640, 384])
                if np.prod(np.clip(high - low, 0, None)) < 0.6 * np.prod(truths[best][2:]):
                    continue
                values = aim(box, truths[best], landmarks[best])
                yield look(frame, box), 1, np.nan_to_num(values), (1.0, 0.0 if np.isnan(values).any() else 1.0)
            elif near[best] < 0.2 and overlap(box[None], doubtful)[0].max(initial=0) < 0.3:
                yield look(frame, box), 0, np.zeros(VALUES), (0.0, 0.0)


def gather(source, seed, wanted):
    """Draws crops until there are `wanted`."""
    crops, labels, values, weights, number = [], [], [], [], 0
    while len(crops) < wanted:
        for crop, label, value, weight in source.crops(seed, number):
            crops.append(crop), labels.append(label), values.append(value), weights.append(weight)
        number += 1
        if number % 1000 == 0:
            print(f"{number} frames, {len(crops)} crops, {np.mean(labels):.2f} of them faces", flush=True)
    return {"crops": np.stack(crops), "labels": np.array(labels, np.float32),
            "values": np.stack(values).astype(np.float32), "weights": np.array(weights, np.float32)}


def mirrored(images, values, mask):
    """Some of the batch from left to right, with their values."""
    images[mask] = images[mask].flip(3)
    v = values[mask]
    v[:, 0] *= -1
    p = v[:, 4:].reshape(-1, 5, 2)[:, FLIPPED].clone()
    p[:, :, 0] *= -1
    values[mask] = torch.cat([v[:, :4], p.reshape(-1, 10)], 1)
    return images, values


def refined(network, frame, boxes, mirror=False):
    """Logits, boxes and landmarks after a look, plain or in a mirror."""
    if not len(boxes):
        return np.zeros(0), np.zeros((0, 4)), np.zeros((0, 5, 2))
    crops = np.stack([look(frame, b) for b in boxes])
    x = torch.from_numpy(crops[:, :, ::-1].copy() if mirror else crops).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        out = network((x - MEAN) * SCALE).float().numpy()
    squares = np.array([square_of(b) for b in boxes])
    left, top, side = squares.T
    places = out[:, 5:].reshape(-1, 5, 2)
    if mirror:
        out[:, 1] *= -1
        places = places[:, FLIPPED] * [-1, 1]
    middle = out[:, 1:3] + 0.5
    size = np.exp(out[:, 3:5]) * side[:, None]
    corner = np.stack([left + middle[:, 0] * side, top + middle[:, 1] * side], 1) - size / 2
    points = (places + 0.5) * side[:, None, None] + np.stack([left, top], 1)[:, None]
    return out[:, 0], np.concatenate([corner, size], 1), points


def cascade(network, detector, low, high, most=48):
    """Detector and refiner together, as the appliance has them: a frame to scores, boxes and landmarks.

    What has half of the wanted score after the first look is looked at again: in a mirror, and about
    its new box.
    """

    def run(frame):
        proposed, boxes, _ = detect(detector.grids(frame), low, 0.5)  # best first
        proposed, boxes = proposed[:most], boxes[:most]
        score = lambda logits: (1 / (1 + np.exp(-logits))) ** SAY * proposed ** (1 - SAY)
        first, boxes, seen = refined(network, frame, boxes)
        hope = score(first) >= 0.5 * high
        proposed, first, boxes, seen = proposed[hope], first[hope], boxes[hope], seen[hope]
        second, boxes, points = refined(network, frame, boxes, True)
        points = (points + seen) / 2
        scores = score((first + second) / 2)
        kept = []
        for i in np.argsort(-scores):
            if scores[i] >= high and all(overlap(boxes[i : i + 1], boxes[j : j + 1])[0, 0] <= 0.4 for j in kept):
                kept.append(i)
        return scores[kept], boxes[kept], points[kept]

    return run


def figures_of(run, pictures, teacher, width=640, height=384):
    """Recall by size, false boxes from 30 px, and the landmarks' distance from the teacher's."""
    found, false, errors = {"60+": [], "30-60": [], "16-30": []}, 0, []
    for picture in pictures:
        frame, scale = letterbox(picture.decode(), width, height)
        _, boxes, points = run(frame)
        known = picture.boxes * scale
        for b in known:
            size = math.sqrt(b[2] * b[3])
            band = "60+" if size >= 60 else "30-60" if size >= 30 else "16-30" if size >= 16 else None
            if band:
                found[band].append(len(boxes) > 0 and overlap(b[None], boxes).max() >= 0.5)
        if len(known):
            for b in boxes:
                false += math.sqrt(b[2] * b[3]) >= 30 and overlap(b[None], known).max() < 0.3
        _, theirs, their_points = detect(teacher.grids(frame), 0.5)
        for b, p in zip(theirs, their_points):
            if b[2] >= 24 and len(boxes):
                near = overlap(b[None], boxes)[0]
                if near.max() >= 0.5:
                    eyes = max(np.linalg.norm(p[0] - p[1]), 0.3 * b[2])
                    errors.append(np.linalg.norm(points[near.argmax()] - p, axis=1).mean() / eyes)
    result = {k: round(float(np.mean(v)), 4) for k, v in found.items() if v}
    return result | {"false boxes from 30 px": int(false), "landmark error": round(float(np.mean(errors)), 4)}


def main():
    parser = schedule.arguments_of(__doc__, 8_000, 128, 1000)
    parser.add_argument("--crops", type=int, default=260_000)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--grow-from", type=Path, help="a shipped refiner.onnx: begin with its weights")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.manual_seed(arguments.seed)
    faces = arguments.data / "faces"
    teacher = YuNet(arguments.data / "models" / "yunet_n_dynamic.onnx")
    detector = Proposals(arguments.out / "detector-640.onnx")
    scenes = shoppers = held_scenes = []
    if arguments.rendered:
        scenes = read_rendered(arguments.rendered, "train", True)
        shoppers = read_rendered(arguments.rendered, "train", False)
        held_scenes = read_rendered(arguments.rendered, "held-out", True)
    arguments.work.mkdir(parents=True, exist_ok=True)
    kept = arguments.work / "crops.npz"
    if kept.exists():
        data = dict(np.load(kept))
    else:
        source = Source(read_wider(faces / "wider-train.zip"), read_identities(faces / "lfw-dev.zip", "train"),
                        scenes, shoppers, teacher, detector)
        data = gather(source, arguments.seed, arguments.crops)
        np.savez(kept, **data)
    crops, labels, values, weights = (torch.from_numpy(data[k]) for k in ("crops", "labels", "values", "weights"))
    val = read_wider(faces / "wider-val-dev.zip")
    held = read_identities(faces / "lfw-dev.zip", "held-out")[:1000]

    network = Refiner()
    if arguments.grow_from:
        seen = (crops[:512].permute(0, 3, 1, 2).float() - MEAN) * SCALE
        network = shipped.read_any(arguments.grow_from, Refiner, seen)
    network = network.to(memory_format=torch.channels_last)
    average = Average(network, 0.999)
    optimiser = torch.optim.AdamW(network.parameters(), lr=arguments.rate, weight_decay=0.02)
    checkpoint, start = arguments.work / "refiner.pt", 0
    if arguments.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"]), average.network.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]

    def finish():
        folded = copy.deepcopy(average.network).eval()
        figures = {"detector alone, WIDER FACE val part": figures_of(
            lambda f: detect(detector.grids(f), 0.5), val, teacher)}
        for low, high in ((0.2, 0.45), (0.2, 0.5), (0.2, 0.55)):
            name = f"with the refiner, proposals from {low}, faces from {high}"
            run = cascade(folded, detector, low, high)
            figures[f"WIDER FACE val part, {name}"] = figures_of(run, val, teacher)
        run = cascade(folded, detector, 0.2, 0.5)
        figures["LFW held-out people"] = figures_of(run, held, teacher)
        figures["LFW held-out people: a face found"] = sum(len(run(letterbox(p.decode(), 640, 384)[0])[0]) > 0 for p in held)
        if held_scenes:
            figures["rendered scenes held out"] = figures_of(run, held_scenes, teacher)
        figures["YuNet, WIDER FACE val part"] = figures_of(lambda f: detect(teacher.grids(f), 0.5), val, teacher)
        for k, v in figures.items():
            print(k, v, flush=True)
        if not arguments.no_export:
            export_refiner(average.network, arguments.out, figures, arguments.card_version, bool(arguments.rendered))

    network.train()
    began, sums = time.time(), np.zeros(3)
    for step in range(start, arguments.steps):
        rng = np.random.default_rng([arguments.seed, 2, step])
        rows = rng.integers(0, len(crops), arguments.batch)
        batch = crops[rows].numpy().copy()
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        for k in np.flatnonzero(rng.random(len(rows)) < 0.35):
            batch[k] = photometric(batch[k], rng, 0.6)
        images = ((torch.from_numpy(batch).permute(0, 3, 1, 2).float() - MEAN) * SCALE)
        target = values[rows].clone()
        images, target = mirrored(images, target, torch.from_numpy(rng.random(len(rows)) < 0.5))
        images = images.contiguous(memory_format=torch.channels_last)
        rate = arguments.rate * schedule.share(step, arguments.steps, 300, 0.005)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            out = network.body(images)
        out = network.head(out.float()).flatten(1)
        face, weight = labels[rows], weights[rows]
        score = F.binary_cross_entropy_with_logits(out[:, 0], 0.02 + 0.96 * face)
        some = weight.sum(0).clamp(min=1)
        box = (F.smooth_l1_loss(out[:, 1:5], target[:, :4], beta=0.02, reduction="none").sum(1) * weight[:, 0]).sum() / some[0]
        point = (F.smooth_l1_loss(out[:, 5:], target[:, 4:], beta=0.01, reduction="none").mean(1) * weight[:, 1]).sum() / some[1]
        loss = score + 2.0 * box + 10.0 * point
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.follow(network, step)
        sums += [float(score.detach()), float(box.detach()), float(point.detach())]
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} rate {rate:.5f} score {sums[0] / 500:.4f} box {sums[1] / 500:.4f} "
                  f"points {sums[2] / 500:.5f} {time.time() - began:.0f}s", flush=True)
            sums[:] = 0
        if (step + 1) % arguments.every == 0:
            schedule.save(checkpoint, network=network.state_dict(), average=average.network.state_dict(),
                          optimiser=optimiser.state_dict(), step=step + 1)
    finish()


def export_refiner(network, folder, figures, version, rendered):
    export(network, folder, "refiner", (1, 3, SIDE, SIDE), ["face"], {
        "name": "shopguide-refiner", "version": version, "task": "refine",
        "output": {"decoding": "refined", "names": ["face"]},
        "threshold": {"score": 0.55, "proposal": 0.2, "nms": 0.4}, "figures": figures,
        "training": {
            "teacher": "YuNet n (ShiqiYu/libfacedetection.train, Apache-2.0), for landmarks and where nothing is annotated",
            "data": [
                {"name": "WIDER FACE, 1,239 pictures of the train part, 690 with annotations", "terms": "research only"},
                {"name": "LFW deep-funneled, people whose name's SHA-256 is not divisible by 5", "terms": "research only"},
            ] + ([{"name": "rendered shoppers and scenes", "terms": "this project's own"}] if rendered else []),
            "note": "The photographs are for research only as their sources state, and weights learnt "
                    "from them are offered in that spirit. For commercial use put in a licensed model: "
                    "drop its file and a card of this form into models/.",
        }})


if __name__ == "__main__":
    main()
