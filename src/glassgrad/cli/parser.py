"""An argument parser that offers the nearest option or word when it does not know one."""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
from collections.abc import Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, whose errors are one paragraph and say what to do."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The parsed arguments; exits with code 2 and the nearest option for an unknown one."""
        known = self._known_options()
        for word in arguments:
            if word == "--":
                break
            if word.startswith("--") and word.split("=")[0] not in known:
                self.error(f"unknown option {word!r}.{_near(word, known)}")
        given, rest = self.parse_known_args(list(arguments))
        if rest:
            below = next((p for name, p in self.parts().items() if name in arguments), self)
            what = "option" if rest[0].startswith("-") else "word"
            below.error(f"unknown {what} {rest[0]!r}.{_near(rest[0], below._known_options())}")
        return given

    def _known_options(self) -> list[str]:
        """The options of this parser and of all below it."""
        found = list(self._option_string_actions)
        for below in self.parts().values():
            found += below._known_options()
        return found

    def parts(self) -> dict[str, Parser]:
        """The parsers of the words that may follow the verb, such as table after train."""
        found: dict[str, Parser] = {}
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found |= action.choices
        return found

    def error(self, message: str) -> NoReturn:
        """Print the message and where to find help; exit with code 2."""
        message = re.sub(
            r"^argument (\S+): invalid choice: '(.*?)' \(choose from (.*)\)$", self._choice, message
        )
        ending = "" if message.endswith((".", "?")) else "."
        self.exit(2, f"{self.prog}: {message}{ending} See '{self.prog} --help'.\n")

    @staticmethod
    def _choice(match: re.Match[str]) -> str:
        option, word, choices = match.groups()
        known = [c.strip(" '") for c in choices.split(",")]
        close = difflib.get_close_matches(word, known, 1, 0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{word!r} is not possible for {option}: {hint}choose from {', '.join(known)}"


def _near(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.split("=")[0], known, 1, 0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def parser_of(verb: str, what: str | None = None) -> Parser:
    """The parser of a verb, or of one of the things that it is for, such as train and table.

    >>> parser_of("train", "text").prog
    'glassgrad train text'
    """
    found = importlib.import_module(f"glassgrad.cli.{verb}").parser()
    return found if what is None else found.parts()[what]


def count(text: str) -> int:
    """A whole number of at least 1, for an option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def natural(text: str) -> int:
    """A whole number from 0 to 2**64 - 1, for an option."""
    value = int(text)
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 2**64 - 1")
    return value


def positive(text: str) -> float:
    """A finite number above 0, for an option."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def widths(text: str) -> tuple[int, ...]:
    """Layer widths such as 64,64, for an option; nothing or 0 for none."""
    return () if text in ("", "0") else tuple(count(part) for part in text.split(","))


count.__name__ = natural.__name__ = "whole number"
positive.__name__, widths.__name__ = "number", "list of widths"
