"""What the spelling of a token says: its word, its shape, how it begins and ends."""

from __future__ import annotations

import re
from itertools import groupby

LINK = re.compile(r"https?://|www\.")


def shape(token: str) -> str:
    """Upper case as X, lower case as x, digits as 9, other marks as they are; runs once.

    >>> shape("McDonald's"), shape("B2B"), shape("#iPhone7")
    ("XxXx'x", 'X9X', '#xXx9')
    """
    return "".join(mark for mark, _ in groupby(map(_mark, token[:30])))


def features(token: str) -> tuple[str, ...]:
    """The features of a token, each with a letter that says of what kind it is.

    >>> features("Paris")
    ('w:paris', 's:Xx', 'p:par', 'e:ris', 'r:is')
    """
    if LINK.match(token):
        return ("w:<link>", "s:<link>", "p:<link>", "e:<link>", "r:<link>")
    word = re.sub(r"\d", "9", token.lower())
    return (
        word_feature(word),
        f"s:{shape(token)}",
        f"p:{word[:3]}",
        f"e:{word[-3:]}",
        f"r:{word[-2:]}",
    )


def word_feature(word: str) -> str:
    """The feature of a word in lower case as a whole.

    >>> word_feature("paris") == features("Paris")[0]
    True
    """
    return f"w:{word}"


def _mark(letter: str) -> str:
    if letter.isupper():
        return "X"
    return "x" if letter.isalpha() else "9" if letter.isdigit() else letter
