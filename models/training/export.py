"""Writes a trained network as ONNX with its card, so that file, hash and golden output always agree.

BatchNorm is folded here, the graph is checked against onnxruntime, and both files are replaced by
renaming: a reader never sees a half-written model. The card's format is read by `shopguide`, which
refuses a model whose hash, shape or golden output differ from its card.
"""

import copy
import hashlib
import os
import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

MEAN = 127.5
SCALE = 1 / 128
GOLDEN_VALUES = 16
GOLDEN_TOLERANCE = 0.01


def fold_batch_norm(network):
    """A copy in evaluation mode whose convolutions carry their BatchNorm's scale and shift."""
    network = copy.deepcopy(network).eval().float()

    def fold(module):
        names = list(module._modules)
        for first, second in zip(names, names[1:]):
            a, b = module._modules[first], module._modules[second]
            if isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d):
                module._modules[first] = fuse_conv_bn_eval(a, b)
                module._modules[second] = nn.Identity()
        for child in module.children():
            fold(child)

    fold(network)
    return network


def golden_input(shape):
    """The input every reader of a card can generate: byte noise in 0..255, before mean and scale."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    values = ((index * 2654435761) & 0xFFFFFFFF) >> 24
    return values.astype(np.float32).reshape(shape)


def toml_key(key):
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, float):
        return repr(round(value, 7)) if abs(value) > 1e-4 or value == 0 else repr(value)
    return str(value)


def toml_text(card):
    """Top-level values first, then one [section] per dictionary; lists of tables stay inline."""
    lines = [f"{k} = {toml_value(v)}" for k, v in card.items() if not isinstance(v, dict)]
    for section, values in card.items():
        if not isinstance(values, dict):
            continue
        lines += ["", f"[{section}]"]
        for key, value in values.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                lines.append(f"{toml_key(key)} = [")
                lines += [f"    {toml_value(item)}," for item in value]
                lines.append("]")
            else:
                lines.append(f"{toml_key(key)} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def drop_identities(graph):
    """Identity nodes only alias equal weights (the exporter shares them); each reader gets the source."""
    source = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Identity"}
    kept = [n for n in graph.node if n.op_type != "Identity"]
    for node in kept:
        for i, name in enumerate(node.input):
            while name in source:
                name = source[name]
            node.input[i] = name
    del graph.node[:]
    graph.node.extend(kept)


def replace(path, data):
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def export(network, folder, stem, shape, outputs, card, also=()):
    """Writes `<stem>.onnx` and `<stem>.toml`; `card` gives the sections this function cannot know,
    `also` further shapes in which the appliance is to run the network.

    Raises if onnxruntime's output differs from PyTorch's.
    """
    folder = Path(folder)
    folded = fold_batch_norm(network)
    raw = golden_input(shape)
    x = torch.from_numpy((raw - np.float32(MEAN)) * np.float32(SCALE))
    with torch.no_grad():
        expected = folded(x)
        original = copy.deepcopy(network).eval().float()(x)
    if isinstance(expected, torch.Tensor):
        expected, original = (expected,), (original,)

    temporary = folder / f".{stem}.export"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            folded, (x,), str(temporary), input_names=["input"], output_names=list(outputs),
            opset_version=13, dynamo=False,
        )
    model = onnx.load(str(temporary))
    temporary.unlink()
    drop_identities(model.graph)
    onnx.checker.check_model(model)
    unexpected = {n.op_type for n in model.graph.node} - {
        "Conv", "Relu", "Add", "ConvTranspose", "Flatten", "Reshape"}
    if unexpected:
        raise ValueError(f"unplanned operators in {stem}: {sorted(unexpected)}")
    data = model.SerializeToString()

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found = session.run(None, {"input": x.numpy()})
    golden = {}
    for name, a, b, c in zip(outputs, expected, found, original):
        a, c = a.numpy(), c.numpy()
        limit = 1e-3 * max(np.abs(a).max(), 1.0)
        if np.abs(a - b).max() > limit or np.abs(a - c).max() > limit:
            raise ValueError(f"{stem}: {name} differs by {np.abs(a - b).max()} after export")
        golden[name] = [float(v) for v in b.reshape(-1)[:GOLDEN_VALUES]]

    full = {"name": card["name"], "version": card["version"], "task": card["task"],
            "file": f"{stem}.onnx", "sha256": hashlib.sha256(data).hexdigest(),
            "licence": "MIT OR Apache-2.0 (code); weights: see [training]",
            "input": {"name": "input", "shape": list(shape)} | ({"also": [list(s) for s in also]} if also else {}) | {
                      "colour": "rgb",
                      "mean": [MEAN] * 3, "scale": [SCALE] * 3}}
    full |= {k: v for k, v in card.items() if k not in full}
    full["golden"] = {"input": "x[i] = ((i * 2654435761 mod 2^32) >> 24), before mean and scale",
                      "tolerance": GOLDEN_TOLERANCE, "output": golden}
    replace(folder / f"{stem}.onnx", data)
    replace(folder / f"{stem}.toml", toml_text(full).encode())
    return full["sha256"]
