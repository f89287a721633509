"""What an op is: data in one place, compared by value, known by name in one registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from glassgrad.graph.dtype import DType
from glassgrad.graph.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glassgrad.graph.node import Node

Shape = tuple[int, ...]
Aval = tuple[Shape, DType]
"""The shape and dtype of one result."""


@dataclass_transform(frozen_default=True, eq_default=True)
class Op:
    """One thing that can be computed: its name, its parameters and its rules.

    A subclass names its parameters as annotated fields; two ops with equal parameters are equal.
    (Frozen dataclasses would do, but cost ten times as much at import.)
    """

    name: ClassVar[str] = ""
    verb: ClassVar[str] = ""
    domain: ClassVar[str] = "operands of fitting shapes"
    kinks: ClassVar[str] = ""
    cost: ClassVar[str] = ""
    """The arithmetic on numbers that it does, in words; `flops` counts it."""
    fields: ClassVar[tuple[str, ...]] = ()
    _hash: int

    def __init_subclass__(cls, listed: bool = True) -> None:
        """Collect the fields and enter the class in the registry under its name.

        An op that is not `listed` is an engine's own: no program and no file can name it.
        """
        if "fields" not in cls.__dict__:
            own = [n for n, t in cls.__annotations__.items() if "ClassVar" not in str(t)]
            cls.fields = (*cls.fields, *(n for n in own if not n.startswith("_")))
        if listed and cls.__dict__.get("name"):
            register(cls.name, cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if len(args) == len(self.fields) and not kwargs:
            for field, value in zip(self.fields, args):
                object.__setattr__(self, field, value)
            object.__setattr__(self, "_hash", hash((type(self), args)))
            return
        if len(args) > len(self.fields):
            raise TypeError(f"{type(self).__name__} takes {self.fields}, got {len(args)} values")
        values = dict(zip(self.fields, args)) | kwargs
        for field in self.fields:
            if field not in values and not hasattr(type(self), field):
                raise TypeError(f"{type(self).__name__} needs {field!r}")
        for field, value in values.items():
            if field not in self.fields:
                raise TypeError(f"{type(self).__name__} has no field {field!r}")
            object.__setattr__(self, field, value)
        object.__setattr__(self, "_hash", hash((type(self), self.parameters())))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"ops are immutable: cannot set {name!r} of {self!r}")

    def parameters(self) -> tuple[Any, ...]:
        """The values of the fields, in order: what tells this op from others of its class."""
        return tuple(getattr(self, f) for f in self.fields)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            type(self) is type(other)
            and isinstance(other, Op)
            and self._hash == other._hash
            and self.parameters() == other.parameters()
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        inside = ", ".join(f"{f}={getattr(self, f)!r}" for f in self.fields)
        return f"{self.name}({inside})"

    def effect(self) -> str:
        """What it does to a gradient, in words."""
        return self.verb

    def flops(self, node: Node) -> int:
        """The operations on numbers of one node: a function such as exp is one, a choice none."""
        return 0

    # -- what a subclass says ---------------------------------------------------------------

    def infer(self, *inputs: Node) -> Aval | tuple[Aval, ...]:
        """The shape and dtype of the result; a tuple of them for an op with several results."""
        raise GraphError(f"{self.name} says nothing of its result")

    def vjp(self, node: Node, g: Any) -> Sequence[Node | None]:
        """The cotangents of the inputs, given that of the node (None: carries none)."""
        raise GraphError(f"{self.name} has no VJP rule")

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Any:
        """The tangent of the node, given those of its inputs (None: zero)."""
        raise GraphError(f"{self.name} has no JVP rule")


REGISTRY: dict[str, Any] = {}
"""Every op by name: a class where ops have parameters, an instance where they have none."""


def register(name: str, op: Any) -> None:
    """Enter an op under its name; a name is taken once."""
    if name in REGISTRY:
        raise GraphError(f"an op named {name!r} is registered already")
    REGISTRY[name] = op


def lookup(name: str) -> Any:
    """The registered op of that name; a `GraphError` says which there are."""
    if name not in REGISTRY:
        known = ", ".join(sorted(REGISTRY))
        raise GraphError(f"there is no op named {name!r}; the registered ops are: {known}")
    return REGISTRY[name]
