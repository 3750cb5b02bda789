"""Trains the refiner: a second look at each face that the detector proposes.

    python refiner.py --data DATA --work WORK [--rendered FOLDER ..] [--steps 10500] [--resume]

The detector sees a whole frame in a few milliseconds; its boxes are a little off and some hold no
face. The refiner sees one box at a time, a square of 64x64 pixels, and says whether it is a face,
where its box is and where its five landmarks are. It learns from the detector's own proposals on
training pictures (so `detector.py` comes first), and from boxes that were moved on purpose. What is
true comes from the annotations; where there are none, and for the landmarks, from YuNet's mean of
eight looks. Half of the crops are two in one and bent, things that nobody has: of them it learns what
YuNet says of that very crop, so that it is not left with learning a few hundred pictures by heart.
What is no face it learns from heads whose face is covered, from bodies, and with `--things` from cut-out
pictures of animals, fruit, dishes: else dogs, gloves and heads from behind pass for faces.

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

from augment import bent, hide, photometric, put, unface, warp
from detections import decode, detect, letterbox, overlap
from export import MEAN, SCALE, export
from faces_data import FLIPPED, decode_thing, read_identities, read_rendered, read_things, read_wider
import schedule
import shipped
from muon import Muon
from networks import Refiner
from schedule import Average
from yunet import YuNet, learn

SIDE = 64
DETECTOR = 2.0  # what the log-odds of the detector's score add to the refiner's
# The square's side over the longer side of the box, look by look: one for what is about a face, which
# tells a hand from it, and two for the detail. Every other look is one in a mirror.
REACH = (2.0, 1.35, 1.35)
# What each look counts for in the landmarks: the inverse area of its pixels.
SHARES = np.array(REACH) ** -2.0 / sum(r ** -2.0 for r in REACH)
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


def square_of(box, reach):
    """Left, top and side of the square that the refiner sees of a box."""
    side = reach * max(box[2], box[3])
    return box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2, side


def look(frame, box, reach):
    """The 64x64 crop; outside the frame is black. A crop that shrinks the frame is the mean of several
    samples a pixel, as the appliance takes them."""
    left, top, side = square_of(box, reach)
    samples = int(np.clip(np.rint(side / SIDE), 1, 6))
    large = SIDE * samples
    k = large / side
    # Pixel centres: the crop's pixel 0 covers the square's first 1/64.
    shift = 0.5 * k - 0.5
    matrix = np.array([[k, 0, -left * k + shift], [0, k, -top * k + shift]])
    crop = cv2.warpAffine(frame, matrix, (large, large), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return crop if samples == 1 else cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def aim(box, reach, truth, points):
    """Box and landmarks in units of the square about the proposed box."""
    left, top, side = square_of(box, reach)
    middle = (truth[:2] + truth[2:] / 2 - [left, top]) / side - 0.5
    return np.concatenate([middle, np.log(truth[2:] / side), ((points - [left, top]) / side - 0.5).reshape(-1)])


def moved(box, rng, by):
    """The box as a poor detector would give it (`by` 1), or as a first look of the refiner's does (less)."""
    size = np.exp(by * (rng.normal(0, 0.16, 2) + rng.normal(0, 0.12)))
    middle = box[:2] + box[2:] / 2 + by * rng.normal(0, 0.1, 2) * box[2:]
    return np.concatenate([middle - box[2:] * size / 2, box[2:] * size])


class Judge(YuNet):
    """YuNet's view of crops: what it learnt of faces and of what is none from ten times the pictures."""

    # A square in the middle of the crop; what overlaps it is what the crop is about.
    MIDDLE = np.array([13.0, 13.0, 38.0, 38.0])

    def seen(self, crops):
        """Of RGB crops: its feature maps at 8x8 and at 4x4 places, and of each the best face in the middle, its score
        and its VALUES."""
        maps, scores, values = [], [], []
        for crop in crops:
            grids, seen = self.look(crop)
            score, boxes, points = decode(grids, 0.0)
            score = score * (overlap(boxes, self.MIDDLE[None])[:, 0] > 0.25)
            best = int(score.argmax())
            maps.append(seen[:2]), scores.append(score[best])
            values.append(aim(self.MIDDLE, SIDE / self.MIDDLE[2], boxes[best], points[best]))
        return [torch.from_numpy(np.stack(m)) for m in zip(*maps)], np.array(scores), np.stack(values)


class Source:
    """Draws frames and what is in them."""

    def __init__(self, wider, portraits, scenes, shoppers, things, teacher, detector):
        self.things, self.teacher = things, teacher
        self.pools = [p for p in (wider, portraits, scenes, shoppers) if p]
        shares = [s for p, s in zip((wider, portraits, scenes, shoppers), (0.64, 0.24, 0.07, 0.05)) if p]
        self.shares = np.array(shares) / sum(shares)
        self.detector = detector
        pictures = [*wider, *portraits]
        self.doubtful = dict(zip(map(id, pictures), learn(pictures, teacher)))

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
        frame = warp(rgb, matrix, (640, 384), (0, 0, 0))

        def there(boxes):
            centre = (boxes[:, :2] + boxes[:, 2:] / 2) @ a.T + matrix[:, 2]
            return np.concatenate([centre - boxes[:, 2:] * scale / 2, boxes[:, 2:] * scale], 1)

        truths, landmarks = there(picture.boxes), picture.landmarks @ a.T + matrix[:, 2]
        doubtful = there(self.doubtful.get(id(picture), np.zeros((0, 4))))
        # Heads without a face, and things that are none.
        erased, laid = [], []
        if rng.random() < 0.3:
            heads = np.flatnonzero(np.sqrt(truths[:, 2] * truths[:, 3]) >= 20)
            chosen = rng.permutation(heads)[: int(rng.integers(1, 4))]
            for k in chosen:
                unface(frame, truths[k], rng)
            erased = list(truths[chosen])
            truths, landmarks = np.delete(truths, chosen, 0), np.delete(landmarks, chosen, 0)
        for _ in range(int(rng.integers(1, 5)) if self.things and rng.random() < 0.4 else 0):
            box = put(frame, decode_thing(self.things[int(rng.integers(len(self.things)))]), rng)
            high = np.minimum(truths[:, :2] + truths[:, 2:], box[:2] + box[2:])
            common = np.prod(np.clip(high - np.maximum(truths[:, :2], box[:2]), 0, None), 1)
            hidden = common > 0.5 * truths[:, 2:].prod(1)
            doubtful = np.concatenate([doubtful, truths[hidden]])
            truths, landmarks = truths[~hidden], landmarks[~hidden]
            laid.append(box)
        frame = photometric(frame, rng, 0.6)
        found_scores, found, _ = detect(self.detector.grids(frame), 0.03, 0.5)
        proposals = list(found[:24])
        large = np.flatnonzero(np.sqrt(truths[:, 2] * truths[:, 3]) >= 10)
        for k in rng.permutation(large)[:8]:
            proposals += [moved(truths[k], rng, by) for by in (1.0, 0.35)]
        for box in [*erased, *laid]:
            proposals += [moved(box, rng, by) for by in (1.0, 0.35) if max(box[2:]) >= 12]
        for k in rng.permutation(large)[:2]:  # a body: a chest is bare now and then
            x, y, w, h = truths[k]
            size = max(w, h) * math.exp(rng.uniform(-0.3, 0.9))
            proposals.append(np.array([x + w * rng.uniform(-0.6, 1.6) - size / 2, y + h * rng.uniform(1.4, 3.2), size, size * 1.2]))
        for _ in range(2):
            size = math.exp(rng.uniform(math.log(14), math.log(200)))
            proposals.append(np.array([rng.uniform(0, 640 - size / 2), rng.uniform(0, 384 - size / 2), size, size * 1.2]))
        for box in proposals:
            if max(box[2], box[3]) < 11:
                continue
            reach = REACH[int(rng.integers(len(REACH)))]
            near = overlap(box[None], truths)[0] if len(truths) else np.zeros(1)
            best = int(near.argmax())
            if near[best] > 0.33:
                low, high = np.maximum(truths[best][:2], 0), np.minimum(truths[best][:2] + truths[best][2:], [640, 384])
                if np.prod(np.clip(high - low, 0, None)) < 0.6 * np.prod(truths[best][2:]):
                    continue
                values = aim(box, reach, truths[best], landmarks[best])
                yield look(frame, box, reach), 1, np.nan_to_num(values), (1.0, 0.0 if np.isnan(values).any() else 1.0)
            elif near[best] < 0.2 and overlap(box[None], doubtful)[0].max(initial=0) < 0.3:
                crop = look(frame, box, reach)
                if erased and overlap(box[None], np.array(erased)).max() > 0.2 and self.teacher.seen(crop[None])[1][0] > 0.35:
                    continue  # enough of the face is left
                yield crop, 0, np.zeros(VALUES), (0.0, 0.0)


def gather(source, seed, wanted):
    """Draws crops until there are `wanted`."""
    crops, labels, values, weights = [], [], [], []
    frames = schedule.by_two(lambda number: list(source.crops(seed, number)), range(10 * wanted))
    for number, drawn in enumerate(frames, 1):
        for crop, label, value, weight in drawn:
            crops.append(crop), labels.append(label), values.append(value), weights.append(weight)
        if number % 1000 == 0:
            print(f"{number} frames, {len(crops)} crops, {np.mean(labels):.2f} of them faces", flush=True)
        if len(crops) >= wanted:
            break
    return {"crops": np.stack(crops), "labels": np.array(labels, np.float32),
            "values": np.stack(values).astype(np.float32), "weights": np.array(weights, np.float32)}


def normal(crops):
    """Crops as the network gets them."""
    return (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - MEAN) * SCALE


def mirrored(crops, values):
    """Crops from left to right, with their values."""
    values = values.clone()
    values[:, 0] *= -1
    points = values[:, 4:].reshape(-1, 5, 2)[:, FLIPPED]
    points[:, :, 0] *= -1
    return crops[:, :, ::-1], torch.cat([values[:, :4], points.reshape(-1, 10)], 1)


def turned(crop, values, rng):
    """A face's crop with the head laid to a side, and its values. The box is one about an ellipse."""
    angle = rng.normal(0, 0.5) if rng.random() < 0.7 else rng.uniform(-2, 2)
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    middle = (SIDE - 1) / 2
    matrix = np.concatenate([turn, (middle - turn @ [middle, middle])[:, None]], 1)
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_REFLECT_101
    crop = cv2.warpAffine(crop, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)
    w, h = np.exp(values[2:4])
    size = np.hypot([w * c, w * s], [h * s, h * c])
    points = values[4:].reshape(5, 2) @ turn.T
    return crop, np.concatenate([turn @ values[:2], np.log(size), points.reshape(-1)]).astype(np.float32)


def settle(network, parents, faces):
    """Fits the landmarks' part of the last layer of a mean of networks to the mean of what they say.

    A mean of weights is no mean of outputs: before, its landmarks lay 4.9% of the eyes' distance off, a parent's
    3.7% (LFW). `faces` are crops of faces, every other one seen in a mirror; the layer stays near what it was (ridge).
    """
    gathered, gaps = [], []
    with torch.no_grad():
        for k in range(0, len(faces), 1000):
            some = faces[k : k + 1000]
            images = normal(np.concatenate([some[::2], some[1::2, :, ::-1]]))
            gathered.append(network.maps(images)[0].flatten(1).double())
            wanted = sum(parent(images)[:, 5:] for parent in parents) / len(parents)
            gaps.append((wanted - network(images)[:, 5:]).double())
        gathered, gaps = torch.cat(gathered), torch.cat(gaps)
        gathered = torch.cat([gathered, torch.ones(len(gathered), 1).double()], 1)
        products = gathered.T @ gathered / len(gathered)
        ridge = 1e-3 * products.diagonal().mean() * torch.eye(len(products)).double()
        ridge[-1, -1] = 0
        change = torch.linalg.solve(products + ridge, gathered.T @ gaps / len(gathered)).float()
        network.head.weight[5:, :, 0, 0] += change[:-1].T
        network.head.bias[5:] += change[-1]


def refined(network, frame, boxes, reach, mirror=False):
    """Logits, boxes and landmarks after a look, plain or in a mirror."""
    if not len(boxes):
        return np.zeros(0), np.zeros((0, 4)), np.zeros((0, 5, 2))
    crops = np.stack([look(frame, b, reach) for b in boxes])
    with torch.no_grad():
        out = network(normal(crops[:, :, ::-1].copy() if mirror else crops)).float().numpy()
    squares = np.array([square_of(b, reach) for b in boxes])
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


def cascade(network, detector, low, high, most=96):
    """Detector and refiner together, as the appliance has them: a frame to scores, boxes and landmarks.

    What has half of the wanted score after a look is looked at again, about its new box. The box is the mean
    of all looks', and so are the landmarks, by their SHARES.
    """

    def run(frame):
        proposed, boxes, _ = detect(detector.grids(frame), low, 0.5)  # best first
        proposed, boxes = proposed[:most], boxes[:most]
        logits, points, mean = np.zeros(len(boxes)), np.zeros((len(boxes), 5, 2)), np.zeros((len(boxes), 4))
        for before, reach in enumerate(REACH):
            seen, boxes, places = refined(network, frame, boxes, reach, before % 2 == 1)
            logits = logits + seen
            points = points + places * SHARES[before]
            mean = mean + boxes / len(REACH)
            odds = logits / (before + 1) + DETECTOR * np.log(1 / (1 / proposed.clip(1e-6, 1 - 1e-6) - 1))
            scores = 1 / (1 + np.exp(-odds))
            hope = scores >= (high if before + 1 == len(REACH) else 0.5 * high)
            proposed, logits, boxes, points, mean, scores = (
                v[hope] for v in (proposed, logits, boxes, points, mean, scores))
        kept = []
        for i in np.argsort(-scores):
            if all(overlap(mean[i : i + 1], mean[j : j + 1])[0, 0] <= 0.4 for j in kept):
                kept.append(i)
        return scores[kept], mean[kept], points[kept]

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
    parser = schedule.arguments_of(__doc__, 10_500, 128, 1000)
    parser.add_argument("--crops", type=int, default=360_000)
    parser.add_argument("--things", type=Path, nargs="+", default=[], help="folders of cut-out pictures without a human face")
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--hint-weight", type=float, default=0.3,
                        help="of the teacher's feature maps at the start; a fifth of it at the end")
    parser.add_argument("--turned", type=float, default=0.2, help="share of faces whose head is laid to a side")
    parser.add_argument("--hidden", type=float, default=0.3, help="share of faces partly hidden from the network")
    parser.add_argument("--blended", type=float, default=0.5,
                        help="share of crops that are two in one, of which the teacher's word is learnt, and that two non-faces are none")
    parser.add_argument("--begin-with", type=Path, nargs="+",
                        help="a shipped refiner.onnx, to go on from its weights; of several, from the mean of them")
    parser.add_argument("--raise", type=float, default=0.0, dest="lift",
                        help="what the face's log-odds are raised by at the start, so that the card's threshold fits")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(arguments.seed)
    faces = arguments.data / "faces"
    teacher = Judge(arguments.data / "models" / "yunet_n_dynamic.onnx")
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
                        scenes, shoppers, read_things(arguments.things), teacher, detector)
        data = gather(source, arguments.seed, arguments.crops)
        np.savez(kept, **data)
    crops, labels, values, weights = (torch.from_numpy(data[k]) for k in ("crops", "labels", "values", "weights"))
    val = read_wider(faces / "wider-val-dev.zip")
    held = read_identities(faces / "lfw-dev.zip", "held-out")[:1000]

    network = Refiner()
    if arguments.begin_with:
        some = normal(crops[:512].numpy())
        shipped.read(arguments.begin_with, network, some)
        with torch.no_grad():
            network.head.bias[0] += arguments.lift
        if len(arguments.begin_with) > 1:
            settle(network.eval(), [shipped.read([p], Refiner(), some).eval() for p in arguments.begin_with],
                   crops[labels > 0][:20_000].numpy())
            network.train()
    network = network.to(memory_format=torch.channels_last)
    average = Average(network, 0.999)
    adapters = torch.nn.ModuleList(torch.nn.Conv2d(c, YuNet.MAP_VALUES, 1) for c in network.channels[2:])
    adapters = adapters.to(memory_format=torch.channels_last)
    first, *_ = teacher.seen(crops[:2048].numpy())
    scales = [(m.mean((0, 2, 3))[:, None, None],
               torch.maximum(d := m.std((0, 2, 3)), 0.2 * d.median())[:, None, None]) for m in first]
    copyist = torch.nn.Linear(network.head.in_channels, 1)  # says what the teacher says; not exported
    torch.nn.init.zeros_(copyist.weight)
    matrices = [p for n, p in network.named_parameters() if p.ndim == 4 and not n.startswith("head")]
    others = [p for n, p in network.named_parameters() if p.ndim != 4 or n.startswith("head")]
    others += [*adapters.parameters(), *copyist.parameters()]
    optimisers = [Muon(matrices, lr=arguments.rate, weight_decay=0.01),
                  torch.optim.AdamW(others, lr=0.15 * arguments.rate, weight_decay=0.0)]
    bases = [o.param_groups[0]["lr"] for o in optimisers]
    checkpoint, start = arguments.work / "refiner.pt", 0
    if arguments.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"]), average.network.load_state_dict(state["average"])
        adapters.load_state_dict(state["adapters"]), copyist.load_state_dict(state["copyist"])
        for o, saved in zip(optimisers, state["optimisers"]):
            o.load_state_dict(saved)
        start = state["step"]

    def finish():
        folded = copy.deepcopy(average.network).eval()
        figures = {"detector alone, WIDER FACE val part": figures_of(
            lambda f: detect(detector.grids(f), 0.5), val, teacher)}
        for low, high in ((0.1, 0.4), (0.1, 0.5), (0.1, 0.6)):
            name = f"with the refiner, proposals from {low}, faces from {high}"
            run = cascade(folded, detector, low, high)
            figures[f"WIDER FACE val part, {name}"] = figures_of(run, val, teacher)
        run = cascade(folded, detector, 0.1, 0.5)
        figures["LFW held-out people"] = figures_of(run, held, teacher)
        figures["LFW held-out people: a face found"] = sum(len(run(letterbox(p.decode(), 640, 384)[0])[0]) > 0 for p in held)
        if held_scenes:
            figures["rendered scenes held out"] = figures_of(run, held_scenes, teacher)
        figures["YuNet, WIDER FACE val part"] = figures_of(lambda f: detect(teacher.grids(f), 0.5), val, teacher)
        for k, v in figures.items():
            print(k, v, flush=True)
        if not arguments.no_export:
            export_refiner(average.network, arguments.out, figures, arguments.card_version, bool(arguments.rendered),
                           bool(arguments.things))

    def draw(step):
        rng = np.random.default_rng([arguments.seed, 2, step])
        rows = rng.integers(0, len(crops), arguments.batch)
        batch = crops[rows].numpy().copy()
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        for k in np.flatnonzero(rng.random(len(rows)) < 0.45):
            batch[k] = photometric(batch[k], rng, 0.6)
        target = values[rows].clone()
        for k, face in enumerate(labels[rows] > 0):
            if not face:  # what is no face is none from any side
                batch[k] = np.rot90(batch[k], int(rng.integers(4)))
            elif rng.random() < arguments.turned:
                batch[k], aimed = turned(batch[k], target[k].numpy(), rng)
                target[k] = torch.from_numpy(aimed)
        flips = rng.random(len(rows)) < 0.5
        batch[flips], target[flips] = mirrored(batch[flips], target[flips])
        blended = rng.random(len(rows)) < arguments.blended
        labelled = ~blended  # of which the label holds: two in one hold no face where neither does
        for k, other in zip(np.flatnonzero(blended), rng.integers(0, len(crops), int(blended.sum()))):
            labelled[k] = labels[rows[k]] == 0 and labels[other] == 0
            share = rng.uniform(0.4, 0.8)
            batch[k] = bent(cv2.addWeighted(batch[k], share, crops[other].numpy(), 1 - share, 0), rng, 5, 2.0)
        maps, word, seen = teacher.seen(batch)
        labelled &= ~blended | (word < 0.3)
        target = np.where(blended[:, None], seen, target.numpy())
        weight = np.where(blended[:, None], np.outer(np.where(word > 0.4, word, 0), [1, 0]), weights[rows].numpy())
        for k in np.flatnonzero(~blended & (labels[rows] > 0).numpy() & (rng.random(len(rows)) < arguments.hidden)):
            (x, y), size = SIDE * (target[k, :2] + 0.5), SIDE * np.exp(target[k, 2:4])
            hide(batch[k], (*([x, y] - size / 2), *size), rng)
        return normal(batch).numpy(), [m.numpy() for m in maps], [
            v.astype(np.float32) for v in (target, weight, labels[rows].numpy(), word, labelled)]

    network.train()
    began, sums = time.time(), np.zeros(5)
    steps = range(start, arguments.steps)
    for step, (images, maps, lesson) in zip(steps, schedule.ahead(draw, steps)):
        images, maps = torch.from_numpy(images), [torch.from_numpy(m) for m in maps]
        target, weight, face, word, single = (torch.from_numpy(v) for v in lesson)
        images = images.contiguous(memory_format=torch.channels_last)
        share = schedule.share(step, arguments.steps, 300, 0.005)
        for optimiser, base in zip(optimisers, bases):
            optimiser.param_groups[0]["lr"] = base * share
            optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            out, *seen = network.maps(images)
            guesses = [adapter(m) for adapter, m in zip(adapters, seen)]
        hints = sum((g.float() - (m - mean) / deviation).pow(2).mean()
                    for g, m, (mean, deviation) in zip(guesses, maps, scales))
        gathered = out.float()
        out, told = network.head(gathered).flatten(1), copyist(gathered.flatten(1))[:, 0]
        score = F.binary_cross_entropy_with_logits(out[:, 0], 0.002 + 0.996 * face, weight=single) / single.mean()
        copied = F.binary_cross_entropy_with_logits(told, word.clamp(0.002, 0.998))
        some = weight.sum(0).clamp(min=1)
        box = (F.smooth_l1_loss(out[:, 1:5], target[:, :4], beta=0.02, reduction="none").sum(1) * weight[:, 0]).sum() / some[0]
        point = (F.smooth_l1_loss(out[:, 5:], target[:, 4:], beta=0.01, reduction="none").mean(1) * weight[:, 1]).sum() / some[1]
        loss = score + copied + 2.0 * box + 10.0 * point + arguments.hint_weight * (1 - 0.8 * step / arguments.steps) * hints
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        for optimiser in optimisers:
            optimiser.step()
        average.follow(network, step)
        sums += [float(part.detach()) for part in (score, copied, box, point, hints)]
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} rate {arguments.rate * share:.5f} score {sums[0] / 500:.4f} "
                  f"copied {sums[1] / 500:.4f} box {sums[2] / 500:.4f} points {sums[3] / 500:.5f} "
                  f"maps {sums[4] / 500:.4f} {time.time() - began:.0f}s", flush=True)
            sums[:] = 0
        if (step + 1) % arguments.every == 0 or step + 1 == arguments.steps:
            schedule.save(checkpoint, network=network.state_dict(), average=average.network.state_dict(),
                          adapters=adapters.state_dict(), copyist=copyist.state_dict(), step=step + 1,
                          optimisers=[o.state_dict() for o in optimisers])
    finish()


def export_refiner(network, folder, figures, version, rendered, things):
    export(network, folder, "refiner", (1, 3, SIDE, SIDE), ["face"], {
        "name": "shopguide-refiner", "version": version, "task": "refine",
        "output": {"decoding": "refined", "names": ["face"]},
        "looks": {"reach": list(REACH), "detector": DETECTOR},
        "threshold": {"score": 0.47, "proposal": 0.1, "nms": 0.4}, "figures": figures,
        "training": {
            "teacher": "YuNet n (ShiqiYu/libfacedetection.train, Apache-2.0), for landmarks, crops that are two in one, "
                       "and where nothing is annotated",
            "data": [
                {"name": "WIDER FACE, 1,239 pictures of the train part, 690 with annotations", "terms": "research only"},
                {"name": "LFW deep-funneled, people whose name's SHA-256 is not divisible by 5", "terms": "research only"},
            ] + ([{"name": "rendered shoppers and scenes", "terms": "this project's own"}] if rendered else [])
              + ([{"name": "Tux Paint stamps 2022.06.04, 359 cut-out photographs of things and animals", "terms": "GPL-2"}]
                 if things else []),
            "note": "The photographs are for research only as their sources state, and weights learnt "
                    "from them are offered in that spirit. For commercial use put in a licensed model: "
                    "drop its file and a card of this form into models/.",
        }})


if __name__ == "__main__":
    main()
