"""What the command line's exit codes mean, and how each error becomes one."""

from __future__ import annotations

from enum import IntEnum

from pydantic import ValidationError

from search.errors import Conflict, NotFound, SearchError, Unavailable, Unsuitable
from service.connection import KeyRefused, Place


class Exit(IntEnum):
    """Exit codes. A script may rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    REFUSED = 5
    KEY_REFUSED = 6
    PORT_IN_USE = 10
    DATA_IN_USE = 11
    NO_DATABASE = 12
    NO_SPACE = 13
    UNSAFE = 14
    WRONG_SCHEMA = 15
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "the study failed or was cancelled, the doctor found what does not work, or the command broke",
    Exit.USAGE: "the command line is wrong",
    Exit.UNREACHABLE: "the service cannot be reached, or cannot answer now",
    Exit.NOT_FOUND: "there is no such study, trial or file",
    Exit.REFUSED: "the request is refused: it is wrong, or the state forbids it",
    Exit.KEY_REFUSED: "the door is closed: the API key is missing or wrong, or the service does not know its host name",
    Exit.PORT_IN_USE: "serve: the port is in use",
    Exit.DATA_IN_USE: "serve, db: another service uses the data directory or database",
    Exit.NO_DATABASE: "serve, db: the database cannot be reached or opened",
    Exit.NO_SPACE: "serve: the data directory cannot be written: disk full or not permitted",
    Exit.UNSAFE: "serve: the settings are wrong or unsafe, for example no API key off loopback",
    Exit.WRONG_SCHEMA: "serve, db: the tables in the database are another version's",
    Exit.INTERRUPTED: "interrupted from the keyboard",
}

EPILOG = "Exit codes:\n\n" + "\n\n".join(f"{code.value}: {meaning}" for code, meaning in MEANINGS.items())


class Stop(Exception):
    """Ends the command with one sentence for people and a code for scripts."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


def exit_of(error: SearchError) -> Exit:
    """The exit code of an error of the search or the service."""
    match error:
        case KeyRefused():
            return Exit.KEY_REFUSED
        case NotFound():
            return Exit.NOT_FOUND
        case Conflict() | Unsuitable():
            return Exit.REFUSED
        case Unavailable():
            return Exit.UNREACHABLE
        case _:
            return Exit.FAILED


def refusal(what: str, error: ValidationError) -> Stop:
    """A value that pydantic refused, told like a problem document: place, rule, value."""
    places = [
        Place(where=tuple(each["loc"]), rule=each["msg"], value=each["input"])
        for each in error.errors(include_url=False)
    ]
    return Stop(Exit.REFUSED, "\n".join([f"{what} is refused:", *(f"  {place}" for place in places)]))
