"""Reads the README: its code blocks and its tables."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from tests.packaging.images import ROOT


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Attributes:
        title: the file that it is, where it is one.
    """

    language: str
    title: str
    code: str


def text() -> str:
    """The whole README."""
    return (ROOT / "README.md").read_text()


def blocks(language: str) -> list[Block]:
    """The code blocks of one language, in order."""
    found = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", text(), re.MULTILINE | re.DOTALL)
    return [Block(*each) for each in found if each[0] == language]


def file(title: str) -> str:
    """The block that is a file of this name."""
    (block,) = [each for language in ("python", "toml") for each in blocks(language) if each.title == title]
    return block.code


def commands() -> list[list[str]]:
    """The words of every command in a shell block, comments and variables set before it left out."""
    lines = [line for block in blocks("sh") for line in block.code.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words and words[0] != "export"]


def section(title: str) -> str:
    """What stands under a heading."""
    return text().split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def quoted(title: str) -> list[str]:
    """What stands in backticks in the first cell of each row of a section's table."""
    rows = re.findall(r"^\|([^|]*)\|", section(title), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
