"""Five landmarks to an aligned 112x112 crop: Umeyama's similarity, never mirrored."""

import numpy as np

SIDE = 112
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])


def similarity(points, target=TEMPLATE):
    """The 2x3 matrix of the least-squares similarity from `points` to `target`."""
    points, target = np.asarray(points, np.float64), np.asarray(target, np.float64)
    mean_p, mean_t = points.mean(0), target.mean(0)
    p, t = points - mean_p, target - mean_t
    variance = max((p**2).sum(), 1e-9)
    # In the plane the best rotation is a closed form: one complex number.
    a = (p * t).sum() / variance
    b = (p[:, 0] * t[:, 1] - p[:, 1] * t[:, 0]).sum() / variance
    linear = np.array([[a, -b], [b, a]])
    return np.concatenate([linear, (mean_t - linear @ mean_p)[:, None]], axis=1)
