"""JSON from a file that may be damaged or hostile."""

from __future__ import annotations

import json
from typing import Any

from glassgrad.data.bad_input import BadInput


def parse_json(text: str, shown: str) -> Any:
    """The value of a JSON text; refuses duplicate keys, NaN, infinities and endless nesting.

    >>> parse_json('{"a": 1}', "config.json")
    {'a': 1}
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(n for n in names if names.count(n) > 1)
            raise BadInput(f"{shown}: damaged: the key {twice[:80]!r} appears twice.")
        return found

    def finite(spelled: str) -> float:
        value = float(spelled)
        if value - value != 0:
            raise BadInput(f"{shown}: damaged: {spelled[:40]} is not a finite number.")
        return value

    try:
        return json.loads(text, object_pairs_hook=unique, parse_float=finite, parse_constant=finite)
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{shown}: not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}). "
            "The file is damaged; copy or train the model again."
        ) from None
    except RecursionError:
        raise BadInput(f"{shown}: damaged: nested too deeply.") from None
    except BadInput:
        raise
    except ValueError:
        raise BadInput(f"{shown}: damaged: a number has too many digits.") from None
