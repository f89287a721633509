"""What can be said: one file a family of meaning. Importing this package fills the registry."""

from glassgrad.ops import (
    angle,
    arithmetic,
    compare,
    contract,
    elementary,
    gate,
    gather,
    loop,
    normal,
    power_log,
    random,
    reduce,
    rounding,
    select,
    sort,
    view,
)

__all__ = [
    "angle",
    "arithmetic",
    "compare",
    "contract",
    "elementary",
    "gate",
    "gather",
    "loop",
    "normal",
    "power_log",
    "random",
    "reduce",
    "rounding",
    "select",
    "sort",
    "view",
]
