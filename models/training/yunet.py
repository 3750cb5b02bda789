"""YuNet as a teacher: its dense outputs on a frame, brought to the grid layout of our detector."""

import numpy as np
import onnxruntime

from networks import STRIDES


class YuNet:
    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"])
        self.names = [o.name for o in self.session.get_outputs()]

    def grids(self, rgb):
        """Per stride an array [15, H/s, W/s]: score (not a logit), box and landmark offsets.

        The frame's sides must be multiples of 32.
        """
        height, width = rgb.shape[:2]
        x = np.ascontiguousarray(rgb[:, :, ::-1].transpose(2, 0, 1)[None]).astype(np.float32)
        out = dict(zip(self.names, self.session.run(None, {"input": x})))
        grids = []
        for s in STRIDES:
            score = np.sqrt(np.clip(out[f"cls_{s}"] * out[f"obj_{s}"], 0, 1))
            rows = np.concatenate([score, out[f"bbox_{s}"], out[f"kps_{s}"]], axis=2)[0]
            grids.append(rows.T.reshape(15, height // s, width // s))
        return grids
