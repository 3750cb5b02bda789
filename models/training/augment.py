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
