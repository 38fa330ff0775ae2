"""Seeds are derived, never set: the same parts give the same seed on every machine."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """Return 32 bits of the SHA-256 of the parts, joined by ``/``.

    32 bits are what torch, numpy and Optuna all accept.
    """
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "big")
