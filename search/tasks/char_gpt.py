"""A small transformer that reads Python: text of the standard library, one character at a time.

Every machine that runs Python has this text. It differs between versions of Python, and so do losses.

Source: A. Radford et al. (2019), "Language Models are Unsupervised Multitask Learners", for the order of the layers.
"""

from __future__ import annotations

import math
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.errors import Unsuitable
from search.tasks.base import Data, Split
from search.tasks.builtin import CHAR_BATCH, CHAR_CONTEXT, CHAR_GPT, CHAR_TEST, CHAR_TRAIN, CHAR_VALIDATION
from search.tasks.files import FileRefused, Source, look_for, require
from search.tasks.info import TaskInfo

_MODULES: Final = (
    "argparse ast base64 bdb calendar codecs configparser contextlib copy csv dataclasses difflib dis doctest enum "
    "fractions ftplib functools gettext gzip heapq imaplib inspect ipaddress mailbox mimetypes ntpath optparse os pdb "
    "pickle platform plistlib"
)
"""Modules of one file each that Python 3.11 and its successors have, in the order of their names."""

LONGEST_MODULE: Final = 1 << 20
HEAD_CHANNELS: Final = 16
SYMBOLS: Final = 97
"""Newline, the 95 printable characters of ASCII, and one for every other byte."""


class CharGPT:
    """Blocks of causal attention and a perceptron, each after a LayerNorm; learned places; GELU; no dropout.

    The text is cut into stretches that do not overlap; validation and test are what comes after the training text.
    """

    info: ClassVar[TaskInfo] = CHAR_GPT
    batch_size: ClassVar[int] = CHAR_BATCH
    evaluation_examples: ClassVar[int] = 256

    def sources(self) -> Sequence[Source]:
        library = Path(sysconfig.get_path("stdlib"))
        return [look_for(f"the source of {name}", [library], [f"{name}.py"]) for name in _MODULES.split()]

    def data(self, options: dict[str, Any]) -> Data:
        text = read_text(require(self.info.name, self.sources()))
        symbols = torch.from_numpy(_SYMBOL_OF[text])
        inputs, targets = (part.reshape(-1, CHAR_CONTEXT) for part in (symbols[:-1], symbols[1:]))
        ends = np.cumsum([CHAR_TRAIN, CHAR_VALIDATION, CHAR_TEST])
        return Data(*(Split(inputs[a:b], targets[a:b]) for a, b in zip((0, *ends), ends, strict=False)))

    def model(self, options: dict[str, Any]) -> nn.Module:
        return Transformer(options["channels"], options["layers"])

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten().long())

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (outputs.argmax(dim=-1) == targets).float().mean()}


class Transformer(nn.Module):
    """Scores of the next symbol at every place, from symbols of shape `(examples, places)`."""

    def __init__(self, channels: int, n_layers: int) -> None:
        super().__init__()
        self.symbols = nn.Embedding(SYMBOLS, channels)
        self.places = nn.Embedding(CHAR_CONTEXT, channels)
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(n_layers)))
        self.norm = nn.LayerNorm(channels)
        self.scores = nn.Linear(channels, SYMBOLS)
        for embedding in (self.symbols, self.places):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, symbols: Tensor) -> Tensor:
        hidden = self.symbols(symbols.long()) + self.places.weight[: symbols.shape[1]]
        scores: Tensor = self.scores(self.norm(self.blocks(hidden)))
        return scores


class Block(nn.Module):
    """Attention, then a perceptron, each added to what it was given.

    Attention is written out: torch's own, on the CPU, cannot be vectorised over several models.
    """

    later: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.n_heads = channels // HEAD_CHANNELS
        later = torch.ones(CHAR_CONTEXT, CHAR_CONTEXT, dtype=torch.bool).triu(diagonal=1)
        self.register_buffer("later", later, persistent=False)
        self.before_attention = nn.LayerNorm(channels)
        self.asked = nn.Linear(channels, 3 * channels)
        self.answered = nn.Linear(channels, channels)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self._attend(self.before_attention(hidden))
        added: Tensor = self.perceptron(hidden)
        return hidden + added

    def _attend(self, hidden: Tensor) -> Tensor:
        n_examples, n_places, n_channels = hidden.shape
        heads = self.asked(hidden).reshape(n_examples, n_places, 3, self.n_heads, HEAD_CHANNELS)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        match = query @ key.transpose(-2, -1) / math.sqrt(HEAD_CHANNELS)
        weights = match.masked_fill(self.later[:n_places, :n_places], -math.inf).softmax(dim=-1)
        answer: Tensor = self.answered((weights @ value).transpose(1, 2).reshape(n_examples, n_places, n_channels))
        return answer


def read_text(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Read the bytes that the three splits take, from the first of these files on.

    Raises:
        FileRefused: a file cannot be read, or is longer than any module is.
        Unsuitable: all of them together are too short.
    """
    wanted = (CHAR_TRAIN + CHAR_VALIDATION + CHAR_TEST) * CHAR_CONTEXT + 1
    held = bytearray()
    for path in paths:
        if len(held) < wanted:
            held += _read_module(path)
    if len(held) < wanted:
        raise Unsuitable(f"{len(paths)} modules of Python hold {len(held)} bytes, but {wanted} are needed")
    return np.frombuffer(bytes(held[:wanted]), np.uint8)


def _read_module(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            held = file.read(LONGEST_MODULE + 1)
    except OSError as error:
        raise FileRefused(path, f"it cannot be read: {error}") from error
    if len(held) > LONGEST_MODULE:
        raise FileRefused(path, f"a module of Python must be at most {LONGEST_MODULE} bytes, and it is longer")
    return held


def _symbols() -> NDArray[np.uint8]:
    table = np.full(256, SYMBOLS - 1, np.uint8)
    table[ord("\n")] = 0
    table[32:127] = np.arange(1, SYMBOLS - 1)
    return table


_SYMBOL_OF: Final = _symbols()
