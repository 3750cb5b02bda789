"""What is done to pictures before they are learnt from: what cameras do (light, blur, noise, compression), and what
hides, bends or takes away a face. On RGB bytes with numpy's generator."""

import cv2
import numpy as np


def photometric(rgb, rng, strength=1.0):
    """Light, colour, blur, noise and JPEG artefacts. Geometry is left alone, so labels stay true."""
    x = rgb
    if rng.random() < 0.7 * strength:
        gamma = np.exp(rng.uniform(-0.7, 0.7) * strength)
        gain = np.exp(rng.uniform(-0.5, 0.25) * strength)
        table = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255)
        if rng.random() < 0.5:  # contrast about the middle
            table = np.clip((table - 110) * rng.uniform(0.5, 1.4) + 110, 0, 255)
        x = cv2.LUT(x, table.astype(np.uint8))
    if rng.random() < 0.4 * strength:  # the lamp's colour
        gains = np.exp(rng.uniform(-0.2, 0.2, 3))
        tables = np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)
        x = cv2.LUT(x, np.ascontiguousarray(tables[None]).reshape(1, 256, 3))
    if rng.random() < 0.12 * strength:
        x = cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    choice = rng.random()
    if choice < 0.12 * strength:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.5, 1.4))
    elif choice < 0.2 * strength:  # movement
        length = int(rng.integers(3, 7))
        kernel = np.zeros((length, length), np.float32)
        angle = rng.uniform(0, np.pi)
        c = (length - 1) / 2
        d = np.array([np.cos(angle), np.sin(angle)]) * c
        cv2.line(kernel, tuple(int(v) for v in np.round(c - d)), tuple(int(v) for v in np.round(c + d)), 1)
        x = cv2.filter2D(x, -1, kernel / kernel.sum())
    if rng.random() < 0.25 * strength:  # a dark shop's sensor noise
        noise = np.empty(x.shape, np.int16)
        cv2.randn(noise, 0, float(rng.uniform(2, 14)))
        x = cv2.add(x, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.2 * strength:
        ok, data = cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 85))])
        x = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return x


def bent(rgb, rng, knots=9, most=7.0):
    """The picture under a smooth random displacement of up to `most` pixels' deviation: faces that nobody has."""
    height, width = rgb.shape[:2]
    coarse = rng.normal(0, rng.uniform(most / 7, most), (2, knots, knots)).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in coarse)
    return cv2.remap(rgb, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def hide(rgb, box, rng):
    """Hides up to half of the face in a box (x, y, w, h) of the picture, in place: a mask or an instrument
    before it, a hat, a shoulder at its side, something small, or a pane of glass over all of it."""
    x, y, w, h = box
    height, width = rgb.shape[:2]
    kind = rng.random()
    if kind < 0.35:  # below
        low, high = (x - 0.15 * w, y + rng.uniform(0.5, 0.8) * h), (x + 1.15 * w, y + rng.uniform(1.0, 1.5) * h)
    elif kind < 0.55:  # above
        low, high = (x - 0.15 * w, y - rng.uniform(0.2, 0.6) * h), (x + 1.15 * w, y + rng.uniform(0.15, 0.4) * h)
    elif kind < 0.75:  # at a side
        part = rng.uniform(0.2, 0.5)
        left, right = (-0.6, part) if rng.random() < 0.5 else (1 - part, 1.6)
        low, high = (x + left * w, y - 0.2 * h), (x + right * w, y + 1.2 * h)
    elif kind < 0.9:  # somewhere
        part = rng.uniform(0.25, 0.6, 2)
        low = np.array([x + rng.uniform(0, 1 - part[0]) * w, y + rng.uniform(0, 1 - part[1]) * h])
        high = low + part * [w, h]
    else:  # glass
        low, high = (x - w, y - 0.8 * h), (x + 2 * w, y + 2 * h)
    (x0, y0), (x1, y1) = low, high
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) + rng.normal(0, 0.07, (4, 2)) * [w, h]
    mask = np.zeros((height, width), np.uint8)
    if rng.random() < 0.3:
        cv2.ellipse(mask, [int((x0 + x1) / 2), int((y0 + y1) / 2)],
                    [max(int((x1 - x0) / 2), 1), max(int((y1 - y0) / 2), 1)], 0, 0, 360, 255, -1)
    else:
        cv2.fillConvexPoly(mask, np.rint(corners).astype(np.int32), 255)
    if rng.random() < 0.5:  # a piece of the picture itself
        cover = np.roll(rgb, (int(rng.integers(height)), int(rng.integers(width))), (0, 1))
    else:
        cover = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), rgb.shape)
    if kind >= 0.9:
        share = rng.uniform(0.35, 0.7)
        cover = cv2.addWeighted(rgb, share, np.ascontiguousarray(cover), 1 - share, 0)
    rgb[mask > 0] = cover[mask > 0]


def put(rgb, thing, rng, largest=220):
    """Lays a cut-out RGBA thing somewhere over the picture, in place; returns its box (x, y, w, h)."""
    height, width = rgb.shape[:2]
    size = np.exp(rng.uniform(np.log(18), np.log(largest)))
    scale = size / np.sqrt(thing.shape[0] * thing.shape[1])
    angle = rng.normal(0, 0.3) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi)
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[c, -s], [s, c]])
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    h, w = thing.shape[:2]
    corners = np.array([[0, 0], [w, 0], [0, h], [w, h]]) @ turn.T
    low, high = corners.min(0), corners.max(0)
    extent = np.ceil(high - low).astype(int) + 2
    piece = warp(thing, np.concatenate([turn, (1 - low)[:, None]], 1), tuple(int(v) for v in extent), (0, 0, 0, 0))
    x, y = (int(rng.uniform(-0.3 * e, n - 0.7 * e)) for e, n in zip(extent, (width, height)))
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + extent[0], width), min(y + extent[1], height)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return np.zeros(4)
    colour, cover = photometric(np.ascontiguousarray(piece[..., :3]), rng, 0.5), piece[..., 3:] / 255
    colour, cover = (part[y0 - y : y1 - y, x0 - x : x1 - x] for part in (colour, cover))
    rgb[y0:y1, x0:x1] = np.rint(rgb[y0:y1, x0:x1] * (1 - cover) + colour * cover)
    return np.array([x0, y0, x1 - x0, y1 - y0], float)


def unface(rgb, box, rng):
    """Takes the face out of a head, in place: over its box lies what is above it (hair, as from behind) or below it
    (clothes, skin), mirrored as often as it takes, or its own pieces in another order."""
    height, width = rgb.shape[:2]
    x, y, w, h = box
    x0, y0, x1, y1 = (int(v) for v in (max(x - 0.1 * w, 0), max(y - 0.05 * h, 0), min(x + 1.1 * w, width), min(y + 1.1 * h, height)))
    if x1 - x0 < 8 or y1 - y0 < 8:
        return
    across, down = np.arange(x0, x1), np.arange(y0, y1)
    kind = rng.random()
    if kind < 0.45:
        strip = max(3, int(rng.uniform(0.15, 0.5) * h))
        edge, towards = int(max(y + rng.uniform(-0.05, 0.12) * h, strip)), -1
    elif kind < 0.7:
        strip = max(3, int(rng.uniform(0.3, 0.8) * h))
        edge, towards = int(min(y + rng.uniform(1.0, 1.2) * h, height - strip - 1)), 1
        if edge < 0:
            return
    if kind < 0.7:
        phase = np.abs((down - edge) % (2 * strip) - strip + 0.5).astype(int)
        rows = edge + phase if towards > 0 else edge - phase - 1
        cover = rgb[np.ix_(np.clip(rows, 0, height - 1), across)]
    else:
        own = rgb[y0:y1, x0:x1].copy()
        n = int(rng.integers(3, 6))
        ph, pw = (y1 - y0) // n, (x1 - x0) // n
        places = [(r * ph, c * pw) for r in range(n) for c in range(n)]
        cover = own.copy()
        for (r, c), k in zip(places, rng.permutation(len(places))):
            a, b = places[k]
            patch = own[a : a + ph, b : b + pw]
            cover[r : r + ph, c : c + pw] = patch[::-1] if rng.random() < 0.5 else patch[:, ::-1]
        cover = cv2.GaussianBlur(cover, (0, 0), max(0.4, 0.03 * w))
    u = (across - (x + w / 2)) / (0.56 * w)
    v = (down - (y + h / 2)) / (0.56 * h)
    mask = np.clip((1.12 - np.sqrt(u[None] ** 2 + v[:, None] ** 2)) / 0.25, 0, 1)[..., None]
    rgb[y0:y1, x0:x1] = np.rint(rgb[y0:y1, x0:x1] * (1 - mask) + cover * mask)


def warp(picture_rgb, matrix, size, border):
    """The picture under a 2x3 matrix on a size=(w, h) canvas; area-like smoothing when shrinking."""
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    source, m = picture_rgb, matrix.astype(np.float64).copy()
    while shrink < 0.6 and min(source.shape[:2]) > 8:
        height, width = source.shape[0] // 2, source.shape[1] // 2
        source = cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA)
        m[:, :2] *= 2
        shrink *= 2
    mode = cv2.BORDER_REFLECT_101 if border is None else cv2.BORDER_CONSTANT
    return cv2.warpAffine(source, m, size, flags=cv2.INTER_LINEAR, borderMode=mode,
                          borderValue=border if border is not None else 0)
