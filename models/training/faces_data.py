"""Readers of the training pictures: zip archives of photographs, folders of rendered shoppers and of cut-out things.

Pictures stay compressed in memory and are decoded when drawn, so a whole data set fits beside the
training process. Nothing here writes anything.
"""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from split import held_out


# Of the Tux Paint stamps (Debian's tuxpaint-stamps-default): folders of drawings, and of what has a human face.
NOT_THINGS = {"symbols", "cartoon", "flags", "roadsigns", "people", "halloween", "easter", "hanukkah", "newyears"}
NOT_THING_NAMES = ("santa", "nutcracker", "astronaut", "space_walk")
FLIPPED = [1, 0, 2, 4, 3]  # the landmarks of a face seen in a mirror


@dataclass
class Picture:
    """One encoded picture and what is known of the faces in it.

    `boxes` is Nx4 (x, y, w, h), `landmarks` Nx5x2 with NaN where unknown. `complete` says that
    every face of the picture is in `boxes` with exact landmarks, so that no teacher is needed;
    `annotated`, that a person drew the boxes.
    """

    name: str
    encoded: bytes
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    landmarks: np.ndarray = field(default_factory=lambda: np.zeros((0, 5, 2), np.float32))
    complete: bool = False
    identity: str = ""
    annotated: bool = False

    def decode(self):
        image = cv2.imdecode(np.frombuffer(self.encoded, np.uint8), cv2.IMREAD_COLOR)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_wider(path):
    """WIDER FACE pictures; boxes marked invalid are left out."""
    pictures = []
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        known = json.loads(archive.read(next(n for n in names if n.endswith("gt.json"))))["boxes"]
        for name in names:
            if not name.endswith(".jpg"):
                continue
            base = name.rsplit("/", 1)[-1]
            rows = [r[:4] for r in known.get(base, []) if not (len(r) > 7 and r[7])]
            boxes = np.array(rows, np.float32).reshape(-1, 4)
            unknown = np.full((len(boxes), 5, 2), np.nan, np.float32)
            pictures.append(Picture(base, archive.read(name), boxes, unknown, annotated=base in known))
    return pictures


def read_things(folders):
    """Cut-out pictures of what has no human face, as RGBA encoded in PNG: animals, fruit, instruments, dishes."""
    things = []
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*.png")):
            kind = path.relative_to(folder).parts
            if set(kind) & NOT_THINGS or path.stem.startswith(NOT_THING_NAMES):
                continue
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if image is None or image.ndim != 3 or image.shape[2] != 4 or min(image.shape[:2]) < 24:
                continue
            shrink = min(1.0, 400 / max(image.shape[:2]))
            if shrink < 1:
                image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            things.append(cv2.imencode(".png", image)[1])
    return things


def decode_thing(encoded):
    """One of `read_things` as RGBA."""
    image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA)


def read_identities(path, part):
    """`<identity>/<image>.jpg` in a zip; part is "train", "held-out" or "all"."""
    pictures = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".jpg"):
                continue
            identity = name.split("/")[-2]
            if part == "all" or held_out(identity) == (part == "held-out"):
                pictures.append(Picture(name, archive.read(name), identity=identity))
    return pictures


def read_rendered(folders, part, scenes):
    """Rendered shoppers with exact boxes and landmarks: whole scenes, or single faces."""
    pictures = []
    for folder in map(Path, folders):
        for name, faces in sorted(json.loads((folder / "gt.json").read_text()).items()):
            is_scene = name.startswith("scenes/")
            if is_scene != scenes:
                continue
            # A scene shows several people, so it is held out as a whole by its name; the
            # detector learns no identities.
            identity = "" if is_scene else name.split("/")[0]
            if part != "all" and held_out(identity or name) != (part == "held-out"):
                continue
            boxes = np.array([f["bbox"] for f in faces], np.float32).reshape(-1, 4)
            landmarks = np.array([f["landmarks"] for f in faces], np.float32).reshape(-1, 5, 2)
            encoded = (folder / name).read_bytes()
            pictures.append(Picture(name, encoded, boxes, landmarks, True, identity))
    return pictures
