"""Muon: the optimiser of the convolutions, which learn from a fraction of the pictures with it."""

import torch


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is made orthogonal (Newton-Schulz), for convolution weights."""

    def __init__(self, parameters, lr=0.02, momentum=0.9, weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                buffer = state.setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                g = p.grad.lerp(buffer, group["momentum"]).reshape(len(p), -1)
                wide = g.shape[0] <= g.shape[1]
                x = (g if wide else g.T).bfloat16()
                x = x / (x.norm() + 1e-7)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
                x = (x if wide else x.T).float()
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(x.reshape(p.shape), alpha=-group["lr"] * max(1, x.shape[0] / x.shape[1]) ** 0.5)
