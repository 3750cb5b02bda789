"""What every training run shares: its arguments, learning rate, averaged weights and checkpoint."""

import argparse
import copy
import math
import multiprocessing
import queue
from pathlib import Path

import torch


def arguments_of(description, steps, batch, every):
    """A parser of the arguments that every training command takes, with this one's defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="what is made on the way, and checkpoints")
    parser.add_argument("--rendered", type=Path, nargs="+", help="folders written by `shopguide demo --export-faces`")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of the network's; what it learns from is drawn beside it")
    parser.add_argument("--every", type=int, default=every, help="steps between checkpoints")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--no-export", action="store_true")
    parser.add_argument("--card-version", default="1")
    return parser


def share(step, steps, warmup, floor=0.01):
    """Of the full learning rate: up over `warmup` steps, then down a cosine to `floor`."""
    fall = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / warmup) * fall


def ahead(draw, steps):
    """Yields `draw(step)` for each of the steps, drawn in a second process while the last one is learnt from."""
    context = multiprocessing.get_context("fork")
    drawn = context.Queue(4)

    def work():
        torch.set_num_threads(1)
        for step in steps:
            drawn.put(draw(step))

    process = context.Process(target=work, daemon=True)
    process.start()
    try:
        for _ in steps:
            while True:
                try:
                    yield drawn.get(timeout=60)
                    break
                except queue.Empty:
                    if not process.is_alive():
                        raise RuntimeError("the process that draws what is learnt from has died; its error is above")
    finally:
        process.kill()


def by_two(draw, numbers):
    """Yields `draw(number)` for each of a range; a second process draws every other one."""
    theirs = ahead(draw, numbers[1::2])
    for place, number in enumerate(numbers):
        yield next(theirs) if place % 2 else draw(number)


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
