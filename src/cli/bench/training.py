"""The ranker in PyTorch for `shopguide bench training`: the same network, start, batches and optimiser
as `src/train`, one JSON object a line.

In: {"load": file, "threads": n, "steps": n} or {"batches": [number, ..]}. Out: {"ready": true},
{"milliseconds": [..], "losses": [..]} or {"error": words}.
"""

import json
import os
import struct
import sys
import time


def say(answer):
    print(json.dumps(answer), flush=True)


# Threads that wait sleep: on a busy machine spinning ones would stand in their own way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
try:
    import numpy
    import torch
    from torch import nn
    from torch.nn.functional import dropout, silu
except ImportError as error:
    say({"error": str(error)})
    sys.exit()
say({"version": torch.__version__})


def read(path):
    """The tensors of a safetensors file."""
    raw = open(path, "rb").read()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    data = raw[8 + length :]
    out = {}
    for name, place in header.items():
        start, end = place["data_offsets"]
        values = numpy.frombuffer(data[start:end], "<f4").reshape(place["shape"])
        out[name] = torch.from_numpy(values.copy())
    return out


class Ranker(nn.Module):
    def __init__(self, tensors):
        super().__init__()
        self.table = tensors["table"]
        own = "basket_input basket_state basket_bias basket_state_bias rhythm_input rhythm_state rhythm_bias rhythm_state_bias".split()
        self.basket = self.cell(*(tensors[name] for name in own[:4]))
        self.rhythm = self.cell(*(tensors[name] for name in own[4:]))
        names = [n for n in tensors if "." not in n and n not in own + ["table", "settings"]]
        self.part = nn.ParameterDict({name: nn.Parameter(tensors[name]) for name in names})
        self.dropout = float(tensors["settings"][5])

    @staticmethod
    def cell(to_gates, between, bias, state_bias):
        """Gates lie r, z, n in both; PyTorch has a bias on the state's side of each."""
        size = between.shape[0]
        gru = nn.GRU(to_gates.shape[0], size, batch_first=True)
        with torch.no_grad():
            gru.weight_ih_l0.copy_(to_gates.T)
            gru.weight_hh_l0.copy_(between.T)
            gru.bias_ih_l0.copy_(bias[0])
            gru.bias_hh_l0.zero_()
            gru.bias_hh_l0[2 * size :].copy_(state_bias[0])
        return gru

    @staticmethod
    def states(gru, rows, lengths):
        padded = nn.utils.rnn.pad_sequence(rows.split(lengths.tolist()), batch_first=True)
        packed = nn.utils.rnn.pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        return gru(packed)[1][0]

    def forward(self, b):
        p = self.part
        state = dropout(self.states(self.basket, b["baskets"], b["visits"]), self.dropout)
        member = torch.cat([state, b["context"]], 1)
        weights = (member @ p["evidence_weights"] + p["evidence_bias"]).view(len(member), 2, -1)
        scores = p["item_bias"] + (state @ p["table_head"]) @ self.table.T
        row, item, bought = b["at"]
        flat = row * self.table.shape[0] + item
        scores = scores.flatten().index_add(0, flat, (b["terms"] * weights[row, bought]).sum(1)).view_as(scores)
        row, item = b["pairs"]
        rhythm = self.states(self.rhythm, b["purchases"], b["times"])
        seen = torch.cat([b["facts"], 0.2 * scores[row, item].detach()[:, None]], 1)
        first = (member @ p["repeat_member"] + p["repeat_bias"])[row]
        first = first + rhythm @ p["repeat_rhythm"] + seen @ p["repeat_facts"]
        second = dropout(silu(first), self.dropout) @ p["repeat_second"] + p["repeat_second_bias"]
        value = (silu(second) @ p["repeat_out"] + p["repeat_out_bias"])[:, 0]
        scores = scores.flatten().index_add(0, row * self.table.shape[0] + item, value).view_as(scores)
        row, item = b["bought"]
        return -(torch.log_softmax(scores, 1)[row, item] * b["share"]).sum() / scores.shape[0]


class Trainer:
    def __init__(self, asked):
        torch.set_num_threads(asked["threads"])
        torch.manual_seed(1)
        tensors = read(asked["load"])
        recurrent, bias, rest, decay, self.keep, _, evidence = tensors["settings"].tolist()
        self.model = Ranker(tensors)
        cells = list(self.model.basket.parameters()) + list(self.model.rhythm.parameters())
        biases = [self.model.part["item_bias"]]
        terms = [self.model.part["evidence_bias"]]
        others = [v for n, v in self.model.part.items() if n not in ("item_bias", "evidence_bias")]
        rates = ((cells, recurrent), (biases, bias), (terms, evidence), (others, rest))
        groups = [{"params": p, "lr": lr} for p, lr in rates]
        # The optimiser's fastest kind.
        self.optimiser = torch.optim.AdamW(groups, weight_decay=decay, fused=True)
        steps, warm = asked["steps"], max(1.0, asked["steps"] * 0.05)
        rate = lambda at: min((at + 1) / warm, max(0.0, (steps - at) / max(1.0, steps - warm)))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, rate)
        self.all = cells + biases + terms + others
        self.average = [torch.zeros_like(p) for p in self.all]
        self.batches = []
        while f"batch{len(self.batches)}.at" in tensors:
            start = f"batch{len(self.batches)}."
            b = {name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)}
            pairs, bought = b["pairs"], b["bought"]
            b["visits"] = b["visits"][:, 0].long()
            b["pairs"], b["times"] = pairs[:, :2].long().T, pairs[:, 2].long()
            b["at"] = b["at"].long().T
            b["bought"], b["share"] = bought[:, :2].long().T, bought[:, 2]
            self.batches.append(b)

    def step(self, number):
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.model(self.batches[number])
        loss.backward()
        nn.utils.clip_grad_norm_(self.all, 5.0)
        self.optimiser.step()
        self.schedule.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.all, 1 - self.keep)
        return float(loss)

    def run(self, batches):
        times, losses = [], []
        for number in batches:
            begin = time.perf_counter_ns()
            losses.append(self.step(number))
            times.append((time.perf_counter_ns() - begin) / 1e6)
        return {"milliseconds": times, "losses": losses}


trainer = None
for line in sys.stdin:
    asked = json.loads(line)
    try:
        if "load" in asked:
            trainer = Trainer(asked)
            say({"ready": True})
        else:
            say(trainer.run(asked["batches"]))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
