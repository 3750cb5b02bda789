"""What every training run shares: its learning rate, its averaged weights and its checkpoint."""

import copy
import math

import torch


def share(step, steps, warmup, floor=0.01):
    """Of the full learning rate: up over `warmup` steps, then down a cosine to `floor`."""
    fall = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / warmup) * fall


class Average:
    """The running mean of a network's weights: what is measured and exported."""

    def __init__(self, network, memory=0.998):
        self.network = copy.deepcopy(network)
        self.memory = memory

    def follow(self, network, step):
        keep = min(self.memory, (step + 1) / (step + 10))
        with torch.no_grad():
            for mine, theirs in zip(self.network.state_dict().values(), network.state_dict().values()):
                if mine.dtype.is_floating_point:
                    mine.lerp_(theirs, 1 - keep)
                else:
                    mine.copy_(theirs)


def save(path, **state):
    """Replaces the checkpoint at once, so that a run cut off leaves the last whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
