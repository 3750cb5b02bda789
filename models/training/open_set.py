"""Recognition figures: open-set identification of a few members among strangers, and verification.

DIR at FAR: the share of members' pictures that are matched to the right member above the threshold
at which that share of strangers' pictures would be taken for a member.
"""

import numpy as np


def normalised(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)


def open_set(embeddings, mirrored, identities, members, pictures_each, rounds=20, seed=7, fars=(0.01, 0.001), at=None):
    """Averages over random draws of members and of their enrolled pictures.

    As in the appliance: an enrolled picture counts with its mirror image (`mirrored`), a member's
    template is the mean of the pictures', and a probe is looked at once. Each person gives at most
    five probes. `at` asks for both rates at a given threshold, too.
    """
    e, identities = normalised(embeddings), np.asarray(identities)
    pictures = normalised(e + normalised(mirrored))
    people = {i: np.flatnonzero(identities == i) for i in np.unique(identities)}
    able = sorted(i for i, rows in people.items() if len(rows) > pictures_each)
    count = min(members, len(able))
    rng = np.random.default_rng(seed)
    tops, rights, strangers = [], [], []
    for _ in range(rounds):
        chosen = [able[i] for i in rng.permutation(len(able))[:count]]
        enrolled, probes = [], []
        for k, person in enumerate(chosen):
            rows = rng.permutation(people[person])
            enrolled.append(rows[:pictures_each])
            probes += [(r, k) for r in rows[pictures_each : pictures_each + 5]]
        gallery = normalised(pictures[np.array(enrolled)].mean(1))
        score = lambda rows: e[rows] @ gallery.T
        rows, owner = np.array(probes).T
        s = score(rows)
        tops.append(s.max(1))
        rights.append(s.argmax(1) == owner)
        outside = [r for i, rs in people.items() if i not in set(chosen) for r in rs[:5]]
        strangers.append(score(np.array(outside)).max(1))
    tops, rights, strangers = (np.concatenate(x) for x in (tops, rights, strangers))
    result = {"members": count, "pictures each": pictures_each, "rank 1": float(rights.mean())}
    for far in fars:
        threshold = float(np.quantile(strangers, 1 - far))
        result[f"DIR at FAR {far:.1%}"] = float((rights & (tops > threshold)).mean())
        result[f"threshold at FAR {far:.1%}"] = threshold
    if at is not None:
        result["DIR at the card's threshold"] = float((rights & (tops > at)).mean())
        result["FAR at the card's threshold"] = float((strangers > at).mean())
    return result


def verification(embeddings, identities, far=0.001):
    """Share of same-person pairs accepted where `far` of different-person pairs would be."""
    e, identities = normalised(embeddings), np.asarray(identities)
    similarity = e @ e.T
    upper = np.triu_indices(len(e), 1)
    same = (identities[:, None] == identities[None])[upper]
    values = similarity[upper]
    threshold = np.quantile(values[~same], 1 - far)
    return float((values[same] > threshold).mean())


def collapsed(embeddings, identities, near=0.8, neighbours=3):
    """Share of faces that lie within cosine `near` of several other people's faces."""
    e, identities = normalised(embeddings), np.asarray(identities)
    close = (e @ e.T > near) & (identities[:, None] != identities[None])
    return float((close.sum(1) >= neighbours).mean())
