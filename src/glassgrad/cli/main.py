"""The entry of the command line: finds the verb, and turns bad input into one paragraph."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence

VERBS = {
    "demo": "train on handwritten digits and explain one gradient",
    "train": "train a model on a file of yours",
    "predict": "apply a trained model to new rows",
    "evaluate": "score a trained model on rows whose answers are known",
    "bench": "race against other libraries on this machine",
    "doctor": "say what was found on this machine, and whether it works",
    "ops": "list every op with its mathematics, derivatives and conventions",
}

USAGE = """\
usage: glassgrad VERB [options]

Differentiates plain NumPy code, and trains networks with it.

verbs:
{verbs}

options:
  -h, --help   show this help, or that of a verb: glassgrad train --help
  --version    show the version
  --debug      show the whole traceback of an error
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"glassgrad {version('glassgrad')}")
        return 0
    if words[0] not in VERBS:
        return complain(unknown_verb(words[0]))
    return run_verb(words[0], words[1:], debug)


def usage() -> str:
    """The help of the whole program."""
    return USAGE.format(verbs="\n".join(f"  {v:<10} {text}" for v, text in VERBS.items()))


def unknown_verb(word: str) -> str:
    """What to say of a verb that does not exist."""
    close = difflib.get_close_matches(word, VERBS, 1, 0.5)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(VERBS)}."
    kind = "option" if word.startswith("-") else "verb"
    return f"unknown {kind} {word!r}. {hint} See 'glassgrad --help'."


def run_verb(verb: str, words: list[str], debug: bool) -> int:
    """Run one verb; expected errors become a paragraph on standard error."""
    from glassgrad.graph.errors import GlassgradError
    from glassgrad.train.waiting import waiting_bars

    try:
        module = importlib.import_module(f"glassgrad.cli.{verb}")
        with waiting_bars(sys.stderr):
            return module.run(words)
    except SystemExit as exit_:  # argparse has said what was wrong
        return exit_.code if isinstance(exit_.code, int) else 2
    except KeyboardInterrupt:
        print("\nglassgrad: interrupted; nothing was saved.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (GlassgradError, OSError) as error:
        if debug:
            traceback.print_exc()
        return complain(describe(error))
    except MemoryError:
        return complain("the memory does not suffice for this file and network.")


def describe(error: Exception) -> str:
    """The message of an error; those of the operating system name the file."""
    if type(error).__module__ == "builtins" and isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}."
    return str(error)


def complain(message: str) -> int:
    """Print one paragraph on standard error; returns exit code 2."""
    paragraph = " ".join(message.split())
    lines = textwrap.wrap(
        f"glassgrad: {paragraph}", 100, break_long_words=False, break_on_hyphens=False
    )
    print("\n".join(lines), file=sys.stderr)
    return 2
