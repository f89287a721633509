"""What can be said: one file a family of meaning. Importing this package fills the registry."""

from glassgrad.ops import (
    arithmetic,
    compare,
    contract,
    elementary,
    gather,
    loop,
    random,
    reduce,
    select,
    sort,
    view,
)

__all__ = [
    "arithmetic",
    "compare",
    "contract",
    "elementary",
    "gather",
    "loop",
    "random",
    "reduce",
    "select",
    "sort",
    "view",
]
