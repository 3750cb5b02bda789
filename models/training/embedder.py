"""Trains the face embedder by distillation and exports it.

    python embedder.py --data DATA --work WORK [--rendered FOLDER ..] [--steps 7300] [--resume]

Every step makes some fresh augmented views and asks the teacher for its embedding of each view
itself, never of the clean picture: a label from the clean picture teaches the network to give up
on hats, fringes and darkness, and those faces collapse to one vector. Labelled views are kept in
WORK and drawn again a few times. Beside the distillation a small margin loss on known identities
separates people whom the teacher has not learnt to separate (rendered shoppers above all).

The network also learns the teacher's feature maps at 14x14 and 7x7, through 1x1 convolutions that
are thrown away afterwards: every place of a face is a lesson, where the embedding is one lesson a
face, and there are few faces.

Identities held out by `split.py` are never read for training.
"""

import copy
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F

from alignment import SIDE, TEMPLATE, similarity
from augment import photometric, warp
from detections import detect, letterbox
from export import MEAN, SCALE, export
from faces_data import Picture, read_identities, read_rendered, read_wider
from muon import Muon
from networks import Embedder
from open_set import collapsed, open_set, verification
import schedule
import shipped
from schedule import Average
from split import held_out
from yunet import YuNet

DIMENSIONS = 128


class Teacher:
    """MobileFaceNet: RGB bytes of aligned crops to embeddings of length 1, and its feature maps."""

    MAPS = ("/features/features.11/Add_output_0", "/features/features.14/Add_output_0")

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = onnx.load(str(path))
        for name in self.MAPS:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.output = self.session.get_outputs()[0].name

    def __call__(self, crops):
        return self.look(crops, [self.output])[0]

    def look(self, crops, names=None):
        """Embeddings, then the maps of 14x14 and 7x7 places x 128 values."""
        x = np.asarray(crops, np.float32).transpose(0, 3, 1, 2) / 255
        x = (x - np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]) / np.array(
            [0.229, 0.224, 0.225], np.float32)[:, None, None]
        names = names or [self.output, *self.MAPS]
        found = [self.session.run(names, {"input": np.ascontiguousarray(x[i : i + 8])})
                 for i in range(0, len(x), 8)]
        out, *maps = (np.concatenate(part) for part in zip(*found))
        return [out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9), *maps]


def find_landmarks(pictures, detector, side, cache):
    """Keeps pictures in which the detector sees a face near the middle, with its landmarks."""
    known = dict(np.load(cache)) if cache.exists() else {}
    kept = []
    for picture in pictures:
        if picture.name not in known:
            frame, scale = letterbox(picture.decode(), side, side)
            _, boxes, points = detect(detector.grids(frame), 0.5)
            middle = boxes[:, :2] + boxes[:, 2:] / 2 - 190 * scale / 2
            order = np.argsort(np.abs(middle).sum(1) - 0.2 * boxes[:, 2])
            known[picture.name] = points[order[:1]].astype(np.float32) / scale
        if len(known[picture.name]):
            picture.landmarks = known[picture.name]
            kept.append(picture)
    np.savez(cache, **known)
    return kept


def crops_from_wider(pictures, detector):
    """A picture of its own for each sure and not too small face; identity unknown."""
    found = []
    for picture in pictures:
        rgb = picture.decode()
        frame, _ = letterbox(rgb, 640, 640)
        for _, box, points in zip(*detect(detector.grids(frame), 0.7)):
            if math.sqrt(box[2] * box[3]) < 28:
                continue
            low = np.maximum((box[:2] - 0.5 * box[2:]).astype(int), 0)
            high = (box[:2] + 1.5 * box[2:]).astype(int)
            cut = rgb[low[1] : high[1], low[0] : high[0]]
            if min(cut.shape[:2]) < 16:
                continue
            encoded = cv2.imencode(".png", cut[:, :, ::-1])[1].tobytes()
            found.append(Picture(picture.name, encoded, landmarks=(points - low)[None].astype(np.float32)))
    return found


def aligned_crop(picture, border=(0, 0, 0)):
    return warp(picture.decode(), similarity(picture.landmarks[0]), (SIDE, SIDE), border)


def hide_parts(crop, rng):
    """Boxes, bars and shades over parts of the face: hats, masks, hands, dark glasses."""
    kind = rng.random()
    colour = rng.integers(0, 256, 3) if rng.random() < 0.6 else rng.integers(0, 60, 3)
    if kind < 0.5:
        w, h = rng.integers(12, 48, 2)
        x, y = rng.integers(0, SIDE - w), rng.integers(0, SIDE - h)
        crop[y : y + h, x : x + w] = colour if rng.random() < 0.7 else rng.integers(0, 256, (h, w, 3))
    elif kind < 0.75:
        edge = int(rng.integers(8, 40))
        if rng.random() < 0.6:
            crop[:edge] = colour
        else:
            crop[SIDE - edge :] = colour
    else:
        ramp = np.clip(np.linspace(rng.uniform(0.1, 1), rng.uniform(0.1, 1.2), SIDE), 0, 1.2)
        ramp = ramp[None, :, None] if rng.random() < 0.6 else ramp[:, None, None]
        crop[:] = np.clip(crop * ramp, 0, 255).astype(np.uint8)


def placed(picture, rng):
    """The aligned face with its landmarks a little wrong, turned, moved and maybe mirrored."""
    rgb = picture.decode()
    if picture.landmarks.size:
        points = picture.landmarks[0]
        # A detector's error: mostly small, on turned or rendered faces a tenth of the eyes' distance.
        error = 0.012 if rng.random() < 0.6 else 0.05
        matrix = similarity(points + rng.normal(0, error, (5, 2)) * np.ptp(points[:, 0]))
    else:
        matrix = similarity(TEMPLATE)  # cut and aligned already
    angle, zoom = rng.normal(0, 0.09), math.exp(rng.normal(0, 0.045))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * zoom
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    centre = np.array([55.5, 60.0])
    shift = centre - turn @ centre
    matrix = turn @ matrix + np.concatenate([np.zeros((2, 2)), (shift + rng.normal(0, 1.6, 2))[:, None]], 1)
    border = (0, 0, 0) if rng.random() < 0.5 else None
    return warp(rgb, matrix, (SIDE, SIDE), border)


def reshaped(crop, rng):
    """Another jaw, nose or distance of the eyes: the crop under a smooth random displacement."""
    coarse = rng.normal(0, rng.uniform(0.5, 3.0), (2, 5, 5)).astype(np.float32)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    dx, dy = (cv2.resize(c, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for c in coarse)
    return cv2.remap(crop, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def view_of(picture, rng, other=None, reshape=False):
    """A new look at a face: misplaced, darker, coarser, partly hidden; or at a blend of two faces.

    A blend is a face nobody has. The teacher places it like any other, and so a few thousand people
    teach more of its space than their own faces do.
    """
    crop = placed(picture, rng)
    if other is not None:
        second = placed(other, rng)
        if rng.random() < 0.6:
            share = rng.uniform(0.3, 0.7)
            crop = cv2.addWeighted(crop, share, second, 1 - share, 0)
        else:  # upper and lower face, or left and right, of two people
            ramp = np.clip((np.arange(SIDE) - rng.uniform(45, 75)) / rng.uniform(6, 30) + 0.5, 0, 1)
            ramp = ramp[:, None, None] if rng.random() < 0.7 else ramp[None, :, None]
            crop = (crop * (1 - ramp) + second * ramp).astype(np.uint8)
    if other is not None or (reshape and rng.random() < 0.4):
        crop = reshaped(crop, rng)
    if rng.random() < 0.35:  # a far face: few pixels
        side = int(rng.integers(22, 80))
        crop = cv2.resize(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), (SIDE, SIDE),
                          interpolation=cv2.INTER_LINEAR)
    crop = photometric(crop, rng, 0.8)
    if rng.random() < 0.22:
        crop = np.ascontiguousarray(crop)
        hide_parts(crop, rng)
    return crop


class Ring:
    """Views on disk, the oldest replaced by the newest: crops with the teacher's embedding and maps,
    group and identity. The maps are kept in a byte a value, as deviations from each channel's mean.
    """

    UNIT = 24  # steps of the byte to one deviation

    def __init__(self, folder, capacity):
        mode = "r+" if (folder / "views_groups.u8").exists() else "w+"

        def array(name, shape, kind):
            return np.memmap(folder / name, kind, mode, shape=(capacity, *shape))

        self.capacity = capacity
        self.crops = array("views_crops.u8", (SIDE, SIDE, 3), np.uint8)
        self.labels = array("views_labels.f16", (DIMENSIONS,), np.float16)
        self.classes = array("views_classes.i32", (), np.int32)
        self.groups = array("views_groups.u8", (), np.uint8)
        self.map14 = array("views_map14.i8", (128, 14, 14), np.int8)
        self.map7 = array("views_map7.i8", (128, 7, 7), np.int8)
        self.parts = [self.crops, self.groups, self.classes, self.labels, self.map14, self.map7]

    def take(self, rows):
        return [part[rows] for part in self.parts]

    def put(self, rows, values):
        for part, value in zip(self.parts, values):
            part[rows] = value


class Views:
    """Labelled views, in a ring in WORK.

    The views of the next step are made beside the present one; which views there are depends on the
    seed alone.
    """

    def __init__(self, folder, capacity, pools, shares, teacher, seed, blends):
        self.ring = Ring(folder, capacity)
        self.worker, self.coming = ThreadPoolExecutor(1), None
        self.count, self.blends = 0, blends
        self.pools, self.teacher, self.seed = pools, teacher, seed
        self.shares = np.array(shares) / np.sum(shares)
        # Pool by pool, so that a pool added later leaves the earlier classes' numbers alone.
        self.class_of = {}
        for pool in pools:
            for name in sorted({p.identity for p in pool if p.identity}):
                self.class_of.setdefault(name, len(self.class_of))

        scale = folder / "views_scale.npz"
        if not scale.exists():
            maps = self.teacher.look([self.make(k)[0] for k in range(256)])[1:]
            np.savez(scale, *[np.stack([m.mean((0, 2, 3)), m.std((0, 2, 3)) + 1e-6]) for m in maps])
        self.scale = [a[:, :, None, None] for a in np.load(scale).values()]

    def make(self, number):
        """View `number`: its crop, group and class (or -1)."""
        rng = np.random.default_rng([self.seed, number])
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        group = int(rng.choice(len(self.pools), p=self.shares))
        pool = self.pools[group]
        picture, other = pool[int(rng.integers(len(pool)))], None
        if group < 3 and rng.random() < self.blends:
            pool = self.pools[int(rng.choice(3, p=self.shares[:3] / self.shares[:3].sum()))]
            other = pool[int(rng.integers(len(pool)))]
        crop = view_of(picture, rng, other, group < 3)
        return crop, group, -1 if other else self.class_of.get(picture.identity, -1)

    def grow(self, number):
        """Adds `number` views: those made ahead, if they were that many; then sets out on the next."""
        made = self.coming.result() if self.coming else self.made(self.count, number)
        rows = np.arange(self.count, self.count + number) % self.ring.capacity
        self.ring.put(rows, made)
        self.count += number
        self.coming = self.worker.submit(self.made, self.count, number)
        return rows

    def made(self, start, number):
        crops, groups, classes = zip(*[self.make(start + k) for k in range(number)])
        labels, *maps = self.teacher.look(crops)
        maps = [np.clip(np.rint((m - mean) / deviation * Ring.UNIT), -127, 127).astype(np.int8)
                for m, (mean, deviation) in zip(maps, self.scale)]
        return np.stack(crops), groups, classes, labels, *maps

    def draw(self, fresh, number, rng):
        """`number` views, the first `fresh` of them new; of the others each kept one is as likely."""
        new = self.grow(fresh) if fresh else np.zeros(0, int)
        kept = rng.integers(0, min(self.count, self.ring.capacity), number - fresh)
        return self.ring.take(np.concatenate([new, kept]))

    def anchors(self, number, rng):
        """The teacher's embeddings of some kept views of photographs."""
        rows = rng.integers(0, min(self.count, self.ring.capacity), number)
        return self.ring.labels[rows[self.ring.groups[rows] < 3]].astype(np.float32)


class MarginLoss(torch.nn.Module):
    """CosFace over the known identities; a class starts at the teacher's label of its first view."""

    def __init__(self, classes, scale=24.0):
        super().__init__()
        self.centres = torch.nn.Parameter(F.normalize(torch.randn(max(classes, 1), DIMENSIONS)))
        self.register_buffer("seen", torch.zeros(max(classes, 1), dtype=torch.bool))
        self.scale = scale

    def forward(self, embeddings, classes, labels, margins):
        with torch.no_grad():
            new = ~self.seen[classes]
            self.centres[classes[new]] = labels[new]
            self.seen[classes] = True
        cosine = embeddings @ F.normalize(self.centres).T
        rows = torch.arange(len(classes))
        shifted = cosine.clone()
        shifted[rows, classes] = cosine[rows, classes] - margins
        # Identities not met yet have random centres: leave them out of the comparison.
        shifted[:, ~self.seen] = -1.0
        return F.cross_entropy(self.scale * shifted, classes, reduction="none")


def neighbour_loss(out, labels, anchors, trust, scale=16.0):
    """Who is near whom: the teacher's distribution over other faces, and ours, as a divergence.

    The cosine counts every direction alike; this counts those in which a face could be taken for
    another. A view's own label, and any other the teacher puts nearly there, is left out.
    """
    truth = labels @ anchors.T
    off = torch.where(truth > 0.9, -1e4, 0.0)
    target = F.log_softmax(scale * truth + off, 1)
    guess = F.log_softmax(scale * (out @ anchors.T) + off, 1)
    return (trust * (target.exp() * (target - guess)).sum(1)).mean()


def begin_as_shipped(path, network, adapters, views):
    """The network takes over the file's weights, the adapters are fitted to its maps.

    Both learn from views that were made already.
    """
    crops = torch.from_numpy(np.ascontiguousarray(views.ring.crops[:512])).permute(0, 3, 1, 2).float()
    images = (crops - MEAN) * SCALE
    shipped.read([path], network, images)
    with torch.no_grad():
        maps = network.eval().maps(images)[1:]
        network.train()
        for adapter, ours, theirs in zip(adapters, maps, (views.ring.map14, views.ring.map7)):
            rows = lambda m: m.permute(0, 2, 3, 1).reshape(-1, m.shape[1])
            x, y = rows(ours), rows(torch.from_numpy(theirs[: len(ours)].astype(np.float32)) / Ring.UNIT)
            x = torch.cat([x, torch.ones(len(x), 1)], 1)
            found = torch.linalg.solve(x.T @ x + 1e-5 * len(x) * torch.eye(x.shape[1]), x.T @ y)
            adapter.weight.copy_(found[:-1].T[:, :, None, None])
            adapter.bias.copy_(found[-1])
            print(f"maps at first {float((x @ found - y).pow(2).mean()):.4f}", flush=True)


def embed(network, crops):
    """What the appliance computes: one pass for each crop."""
    out = []
    with torch.no_grad():
        for i in range(0, len(crops), 64):
            x = torch.from_numpy(np.stack(crops[i : i + 64])).permute(0, 3, 1, 2).float()
            x = ((x - MEAN) * SCALE).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                out.append(network(x).float().numpy())
    return np.concatenate(out)


def mirror(crops):
    return [np.ascontiguousarray(c[:, ::-1]) for c in crops]


def figures_of(embeddings, mirrored, identities):
    one, three = (open_set(embeddings, mirrored, identities, 100, n) for n in (1, 3))
    flat = {}
    for label, r in (("1 picture", one), ("3 pictures", three)):
        for key in ("DIR at FAR 1.0%", "DIR at FAR 0.1%", "threshold at FAR 1.0%", "threshold at FAR 0.1%"):
            flat[f"{r['members']} members, {label}: {key}"] = round(r[key], 4)
    flat["TAR at FAR 0.1%"] = round(verification(embeddings, identities), 4)
    flat["collapsed"] = round(collapsed(embeddings, identities), 4)
    return flat, three


def measure(network, sets, teacher_embeddings):
    """Figures of each held-out set, with the agreement with the teacher."""
    network = copy.deepcopy(network).eval()
    figures, thresholds, match = {}, {}, None
    for name, (crops, identities) in sets.items():
        e, m = embed(network, crops), embed(network, mirror(crops))
        figures[name], thresholds[name] = figures_of(e, m, identities)
        if match is None:  # the first set, of photographs, sets the card's threshold
            match = thresholds[name]["threshold at FAR 0.1%"]
        for n in (1, 3):
            r = open_set(e, m, identities, 100, n, at=match)
            for key in ("DIR at the card's threshold", "FAR at the card's threshold"):
                figures[name][f"{r['members']} members, {n} picture{'s'[:n - 1]}: {key}"] = round(r[key], 4)
        t = teacher_embeddings[name]
        cosine = (e * t).sum(1) / np.linalg.norm(e, axis=1) / np.linalg.norm(t, axis=1)
        figures[name]["cosine with the teacher"] = round(float(cosine.mean()), 4)
    return figures, thresholds


def card(figures, teacher_figures, thresholds, version, rendered):
    real = thresholds["LFW"]
    match = real["threshold at FAR 0.1%"]
    flat = {f"{name}: {k}": v for name, values in figures.items() for k, v in values.items()}
    flat |= {f"teacher on {name}: {k}": v for name, values in teacher_figures.items() for k, v in values.items()}
    return {
        "name": "shopguide-embedder", "version": version, "task": "embed",
        "output": {"decoding": "embedding", "names": ["embedding"], "dimensions": DIMENSIONS},
        "align": {"template": "arcface-112"},
        "threshold": {
            "match": round(match, 3), "margin": 0.05, "far": 0.001,
            "set_on": f"LFW people held out by split.py: {real['members']} members x 3 pictures, every "
                      "other held-out person a stranger, mean of a member's pictures and their mirror images, 20 draws"},
        "figures": flat,
        "training": {
            "teacher": "MobileFaceNet (foamliu/MobileFaceNet, Apache-2.0 repository; learnt from refined MS-Celeb-1M)",
            "data": [
                {"name": "LFW deep-funneled, people whose name's SHA-256 is not divisible by 5", "terms": "research only"},
                {"name": "UTKFace, aligned pictures whose file name's SHA-256 is not divisible by 5", "terms": "non-commercial research"},
                {"name": "WIDER FACE, faces of 1,239 pictures of the train part", "terms": "research only"},
            ] + ([{"name": "rendered shoppers", "terms": "this project's own"}] if rendered else []),
            "note": "The photographs, and those the teacher learnt from, are for research only as their "
                    "sources state, and these weights are offered in that spirit. For commercial use put "
                    "in a licensed model: drop its file and a card of this form into models/, then enrol "
                    "members again.",
        },
    }


def main():
    parser = schedule.arguments_of(__doc__, 7_300, 128, 250)
    parser.add_argument("--rendered-share", type=float, default=0.15)
    parser.add_argument("--fresh", type=int, default=32, help="new views a step")
    parser.add_argument("--first", type=int, default=6144, help="views before the first step")
    parser.add_argument("--capacity", type=int, default=100_000, help="views kept to be drawn again")
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--blends", type=float, default=0.35, help="share of a photograph's views blended with another")
    parser.add_argument("--identity-weight", type=float, default=0.05)
    parser.add_argument("--neighbour-weight", type=float, default=0.2)
    parser.add_argument("--anchors", type=int, default=4096, help="faces among which neighbours are compared")
    parser.add_argument("--hint-weight", type=float, default=4.0,
                        help="of the teacher's feature maps at the start; a fifth of it at the end")
    parser.add_argument("--rendered-identity", type=float, default=5.0,
                        help="weight of a rendered face's identity against a photograph's")
    parser.add_argument("--measure-every", type=int, default=1000)
    parser.add_argument("--begin-with", type=Path, help="a shipped embedder.onnx, to go on from its weights")
    parser.add_argument("--restart-schedule", action="store_true", help="with --resume: keep the weights only")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(arguments.seed)
    faces, models = arguments.data / "faces", arguments.data / "models"
    yunet = YuNet(models / "yunet_n_dynamic.onnx")
    teacher = Teacher(models / "mobilefacenet_ms1m_foamliu_112.onnx")
    began = time.time()
    arguments.work.mkdir(parents=True, exist_ok=True)
    known = find_landmarks(read_identities(faces / "lfw-dev.zip", "train"), yunet, 192,
                           arguments.work / "landmarks-train.npz")
    held = find_landmarks(read_identities(faces / "lfw-dev.zip", "held-out"), yunet, 192,
                          arguments.work / "landmarks-held-out.npz")
    # Nobody's name is known there: each file counts as a person, held out by its own name.
    aligned = [Picture(p.name, p.encoded) for p in read_identities(faces / "utkface-aligned112.zip", "all")
               if not held_out(p.name.rsplit("/", 1)[-1])]
    crowd = crops_from_wider(read_wider(faces / "wider-train.zip"), yunet)
    pools, shares = [known, aligned, crowd], [0.55, 0.35, 0.1]
    sets = {"LFW": ([aligned_crop(p) for p in held], [p.identity for p in held])}
    if arguments.rendered:
        pools.append(read_rendered(arguments.rendered, "train", False))
        shares.append(arguments.rendered_share / (1 - arguments.rendered_share))
        shoppers = read_rendered(arguments.rendered, "held-out", False)
        sets["rendered"] = ([aligned_crop(p) for p in shoppers], [p.identity for p in shoppers])
    print(f"pictures {[len(p) for p in pools]}, held out {[len(s[0]) for s in sets.values()]}, "
          f"{time.time() - began:.0f}s", flush=True)
    teacher_embeddings = {k: teacher(v[0]) for k, v in sets.items()}
    teacher_figures = {k: figures_of(teacher_embeddings[k], teacher(mirror(v[0])), v[1])[0] for k, v in sets.items()}
    print("teacher", teacher_figures, flush=True)

    checkpoint = arguments.work / "embedder.pt"
    if arguments.resume and checkpoint.exists() and not (arguments.work / "views_groups.u8").exists():
        parser.error(f"{arguments.work} has a checkpoint but no views; go on from an exported file by --begin-with")
    views = Views(arguments.work, arguments.capacity, pools, shares, teacher, arguments.seed, arguments.blends)
    resumed = arguments.resume and checkpoint.exists()

    def first_views():
        while views.count < arguments.first:
            views.grow(arguments.fresh)

    network = Embedder().to(memory_format=torch.channels_last)
    margin = MarginLoss(len(views.class_of))
    adapters = torch.nn.ModuleList(torch.nn.Conv2d(c, 128, 1) for c in network.channels[2:]).to(memory_format=torch.channels_last)
    if arguments.begin_with and not resumed:
        first_views()
        begin_as_shipped(arguments.begin_with, network, adapters, views)
    average = Average(network)
    matrices = [p for p in network.parameters() if p.ndim == 4]
    others = [p for p in network.parameters() if p.ndim != 4]
    optimisers = [Muon(matrices, lr=arguments.rate, weight_decay=0.01),
                  torch.optim.AdamW([{"params": others}, {"params": margin.parameters()}, {"params": adapters.parameters()}],
                                    lr=0.15 * arguments.rate, weight_decay=0.0)]
    base_rates = [[g["lr"] for g in o.param_groups] for o in optimisers]

    start = 0
    if resumed:
        state = torch.load(checkpoint, weights_only=True)
        average.network.load_state_dict(state["average"])
        network.load_state_dict(state["average" if arguments.restart_schedule else "network"])
        margin.load_state_dict(state["margin"])
        adapters.load_state_dict(state["adapters"])
        views.count = state["views"]
        if not arguments.restart_schedule:
            for o, s in zip(optimisers, state["optimisers"]):
                o.load_state_dict(s)
            start = state["step"]

    def save(step):
        schedule.save(checkpoint, network=network.state_dict(), average=average.network.state_dict(),
                      margin=margin.state_dict(), adapters=adapters.state_dict(),
                      optimisers=[o.state_dict() for o in optimisers], step=step, views=views.count)

    def finish():
        figures, thresholds = measure(average.network, sets, teacher_embeddings)
        print("student", figures, flush=True)
        if not arguments.no_export:
            export(average.network, arguments.out, "embedder", (1, 3, SIDE, SIDE), ["embedding"],
                   card(figures, teacher_figures, thresholds, arguments.card_version, bool(arguments.rendered)))

    if start < arguments.steps:
        first_views()
    print(f"{views.count} views, {time.time() - began:.0f}s", flush=True)
    network.train()
    began, sums, views_time = time.time(), np.zeros(6), 0.0
    for step in range(start, arguments.steps):
        mark = time.time()
        rng = np.random.default_rng([arguments.seed, 1, step])
        crops, groups, classes, labels, *teacher_maps = views.draw(arguments.fresh, arguments.batch, rng)
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
        images = ((images - MEAN) * SCALE).contiguous(memory_format=torch.channels_last)
        labels = torch.from_numpy(labels.astype(np.float32))
        classes = torch.from_numpy(classes.astype(np.int64))
        real = torch.from_numpy((groups < 3).astype(np.float32))
        anchors = F.normalize(torch.from_numpy(views.anchors(arguments.anchors, rng)))
        views_time += time.time() - mark

        progress = step / arguments.steps
        factor = schedule.share(step, arguments.steps, 60)
        for o, bases in zip(optimisers, base_rates):
            for group, base in zip(o.param_groups, bases):
                group["lr"] = base * factor
        with torch.autocast("cpu", torch.bfloat16):
            out, *maps = network.maps(images)
            guesses = [adapter(m) for adapter, m in zip(adapters, maps)]
        hints = sum((g.float() - torch.from_numpy(m).float() / Ring.UNIT).pow(2).mean()
                    for g, m in zip(guesses, teacher_maps))
        out = F.normalize(out.float())
        labels = F.normalize(labels)
        # The teacher sees rendered faces as much alike (strangers reach cosine 0.78), so there its
        # word hardly counts and the known identity leads.
        trust = 0.05 + 0.95 * real
        cosine = 1 - (out * labels).sum(1)
        distil = (trust * cosine).mean()
        relation = ((out @ out.T - labels @ labels.T).pow(2) * trust[:, None] * trust[None]).mean()
        neighbours = neighbour_loss(out, labels, anchors, trust)
        has = classes >= 0
        leads = 1 + (arguments.rendered_identity - 1) * (1 - real[has])
        margins = torch.where(real[has] > 0, 0.15, 0.3)
        identity = (leads * margin(out[has], classes[has], labels[has], margins)).sum() / len(out)
        loss = distil + 4.0 * relation + arguments.hint_weight * (1 - 0.8 * progress) * hints + arguments.identity_weight * identity + arguments.neighbour_weight * neighbours
        for o in optimisers:
            o.zero_grad(set_to_none=True)
        loss.backward()
        for o in optimisers:
            o.step()
        average.follow(network, step)
        unseen = cosine.detach()[: arguments.fresh][real[: arguments.fresh] > 0]
        sums += [float(cosine.detach()[real > 0].mean()), float(relation.detach()), float(identity.detach()),
                 float(unseen.mean()) if len(unseen) else 1.0, float(hints.detach()), float(neighbours.detach())]
        if (step + 1) % 50 == 0:
            print(f"step {step + 1} factor {factor:.3f} cosine {1 - sums[0] / 50:.4f} (new views {1 - sums[3] / 50:.4f}) relation {sums[1] / 50:.5f} "
                  f"identity {sums[2] / 50:.3f} maps {sums[4] / 50:.4f} neighbours {sums[5] / 50:.4f} {time.time() - began:.0f}s (views {views_time:.0f}s)", flush=True)
            sums[:] = 0
        if (step + 1) % arguments.every == 0:
            save(step + 1)
        if (step + 1) % arguments.measure_every == 0 and step + 1 < arguments.steps:
            finish()
    if start < arguments.steps:
        save(arguments.steps)
    finish()


if __name__ == "__main__":
    main()
