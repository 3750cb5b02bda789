"""The rule that keeps people apart: who is trained on and who only measures.

An identity is held out when the SHA-256 of its name, as a number, is divisible by five. The rule
needs no list, holds for every data set, and must be asked before any use in training: crops for
the detector, teacher labels and identity losses alike.
"""

import hashlib

PARTS = 5


def held_out(identity: str) -> bool:
    return int.from_bytes(hashlib.sha256(identity.encode()).digest(), "big") % PARTS == 0
