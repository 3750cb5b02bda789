"""Goes on from a network as it was shipped: reads an ONNX file back into a network that trains.

A shipped network has its BatchNorm folded into the convolutions and no optimiser, so what a run
learnt would end with its checkpoint. Here every BatchNorm is put back with the mean and deviation
that real pictures have there, such that the network computes what the file computes; the card's
golden input is run through both to see it. So each release begins where the last one ended.
A network with more channels than the file has begins as the same function: old channels read nothing
of the new ones.
"""

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from export import MEAN, SCALE, fold_batch_norm, golden_input

# Length of a filter after reading: about what the optimiser leaves. BatchNorm takes any factor
# out again, but a step changes a short filter more.
FILTER_LENGTH = 1.5


def paired(network):
    """Each convolution of a network with the BatchNorm behind it, if there is one, by its name."""
    found = {}
    for path, module in network.named_modules():
        names = list(module._modules)
        for name, following in zip(names, [*names[1:], None]):
            layer = module._modules[name]
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                norm = module._modules.get(following)
                found[f"{path}.{name}".lstrip(".")] = (layer, norm if isinstance(norm, nn.BatchNorm2d) else None)
    return found


def widened(weight, shape, transposed):
    """A layer's weight or bias among as many channels as `shape` has; `transposed` if its inputs come first."""
    wide = torch.zeros(shape)
    if len(shape) > 1:
        outputs = 1 if transposed else 0
        fan = wide.numel() // shape[outputs]
        if shape[outputs] > weight.shape[outputs]:
            new = wide.narrow(outputs, weight.shape[outputs], shape[outputs] - weight.shape[outputs])
            new.normal_(0, 0.5 * (2 / fan) ** 0.5)
    wide[tuple(slice(n) for n in weight.shape)] = weight
    return wide


def read(paths, network, images):
    """Gives `network` the weights and BatchNorms of the files at `paths`, the mean of them, and returns it.

    `images` is an input as the network gets it: pictures like those it was trained on. Raises if the
    outputs differ. A mean is of use where one file began as the other.
    """
    folded = fold_batch_norm(network)
    state = folded.state_dict()
    transposed = {f"{name}.weight" for name, m in folded.named_modules() if isinstance(m, nn.ConvTranspose2d)}
    files = []
    for path in paths:
        files.append([onnx.numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer])
        if len(files[-1]) != len(state) or any(
                v.ndim != s.ndim or any(n > m for n, m in zip(v.shape, s.shape)) for v, s in zip(files[-1], state.values())):
            raise ValueError(f"{path} is no {type(network).__name__} of this size or a smaller one")
    mean = [torch.from_numpy(np.mean(values, 0, dtype=np.float64).astype(np.float32)) for values in zip(*files)]
    folded.load_state_dict({name: widened(v, target.shape, name in transposed)
                            for (name, target), v in zip(state.items(), mean)})

    seen, plain = {}, dict(folded.named_modules())
    layers = paired(network)

    def watch(name):
        def hook(module, _, out):
            out = out - module.bias[:, None, None]
            seen[name] = out.mean((0, 2, 3)), out.var((0, 2, 3))
        return plain[name].register_forward_hook(hook)

    hooks = [watch(name) for name, (_, norm) in layers.items() if norm is not None]
    with torch.no_grad():
        folded(images)
        for hook in hooks:
            hook.remove()
        for name, (layer, norm) in layers.items():
            source = plain[name]
            if norm is None:
                layer.weight.copy_(source.weight)
                if layer.bias is not None:
                    layer.bias.copy_(source.bias)
                continue
            mean, variance = seen[name]
            flat = source.weight.flatten(1).norm(dim=1)
            factor = FILTER_LENGTH / flat.clamp_min(1e-6)
            layer.weight.copy_(source.weight * factor[:, None, None, None])
            norm.running_mean.copy_(mean * factor)
            norm.running_var.copy_(variance * factor**2)
            # What the file's filter gives, from one whose output BatchNorm divides by its deviation.
            norm.weight.copy_((norm.running_var + norm.eps).sqrt() / factor)
            norm.bias.copy_(source.bias + mean)
        network.eval()
        session = onnxruntime.InferenceSession(str(paths[0]), providers=["CPUExecutionProvider"])
        noise = (golden_input(session.get_inputs()[0].shape) - np.float32(MEAN)) * np.float32(SCALE)
        found, wanted = network(torch.from_numpy(noise)), folded(torch.from_numpy(noise))
        network.train()
    found, wanted = ((o,) if isinstance(o, torch.Tensor) else o for o in (found, wanted))
    wanted = session.run(None, {"input": noise}) if len(paths) == 1 else [o.numpy() for o in wanted]
    for a, b in zip(wanted, found):
        worst = np.abs(a - b.numpy()).max()
        if worst > 1e-3 * max(1.0, np.abs(a).max()):
            raise ValueError(f"{paths[0]} read back differs by {worst}")
    return network
