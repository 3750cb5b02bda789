"""What cameras do to pictures: light, blur, noise and compression, on RGB bytes with numpy's generator."""

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
