"""The module: a frozen dataclass whose arrays are parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any, dataclass_transform

from glassgrad.graph.errors import GlassgradError, ShapeError
from glassgrad.transform.tree import flatten

Watch = Callable[["Module", Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
WATCH: ContextVar[Watch | None] = ContextVar("WATCH", default=None)
"""What is told of every call of a module in this context, and makes it: `summary` listens here."""


class FrozenModule(GlassgradError, AttributeError):
    """Something tried to write a field of a module."""


def static(*, default: Any) -> Any:
    """A field that is no parameter though it is a number: a setting such as a dropout rate.

    It belongs to the structure of the module; no derivative is taken by it.
    """
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(
    frozen_default=True, eq_default=False, field_specifiers=(static, dataclasses.field)
)
class Module:
    """Base class of layers and networks; a subclass becomes a frozen dataclass by itself.

    Arrays and numbers in the fields are parameters, modules may be nested; strings, functions and
    `nn.static` fields are settings. Calling a module changes nothing; a changed module is a new
    one.

    >>> class Scale(Module):
    ...     factor: np.ndarray
    ...     def __call__(self, x):
    ...         return self.factor * x
    >>> import numpy as np
    >>> s = Scale(np.array(2.0))
    >>> float(s(3.0)), float(dataclasses.replace(s, factor=np.array(5.0))(3.0))
    (6.0, 15.0)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the subclass a frozen dataclass that explains itself when it is written to."""
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True, eq=False)(cls)
        # The generated pair would hide ours, whose message says what to write instead.
        del cls.__setattr__, cls.__delattr__
        if "__call__" in vars(cls):
            cls.__call__ = _watched(vars(cls)["__call__"])  # pyright: ignore

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: modules are values."""
        kind = type(self).__name__
        raise FrozenModule(
            f"cannot write {kind}.{name}: modules are values and never change. "
            f"Build a new one: dataclasses.replace(module, {name}=...); "
            "state that changes is passed in and returned."
        )

    def __delattr__(self, name: str) -> None:
        """Refuse: modules are values."""
        raise FrozenModule(f"cannot delete {type(self).__name__}.{name}: modules never change.")

    @property
    def draws(self) -> bool:
        """Whether a call draws random numbers, so that it takes `key=`."""
        return False

    @property
    def remembers(self) -> bool:
        """Whether a call takes running statistics as `state=` and returns (y, new state)."""
        return False


def _watched(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, seen by who listens."""

    @wraps(call)
    def noted(self: Module, *args: Any, **kwargs: Any) -> Any:
        watch = WATCH.get()
        return call(self, *args, **kwargs) if watch is None else watch(self, call, args, kwargs)

    return noted


def as_dataclass(module: Module) -> Any:
    """The module, which is a dataclass though no type checker sees it."""
    return module


def floats_of(kind: str, like: Any, **arrays: tuple[Any, tuple[int, ...]]) -> None:
    """Refuse arrays, named with the shapes that they need, that are not floats of one dtype."""
    for name, (array, shape) in arrays.items():
        if array.shape != shape or array.dtype != like.dtype or array.dtype.kind != "f":
            wanted = like.dtype if like.dtype.kind == "f" else "float32"
            raise ShapeError(
                f"{name} of {kind} is {array.dtype}{list(array.shape)}; "
                f"it needs to be {wanted}{list(shape)}"
            )


def count_parameters(module: object) -> int:
    """How many numbers a module holds."""
    leaves, _ = flatten(module)
    return sum(getattr(leaf, "size", 1) for leaf in leaves)


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The named parts of a module or container; those of layers in a row are their numbers.

    >>> [name for name, _ in parts({"a": 1, "b": 2})]
    ['a', 'b']
    """
    if isinstance(value, Module):
        for f in dataclasses.fields(as_dataclass(value)):
            if not f.metadata.get("static"):
                yield f.name, getattr(value, f.name)
    elif isinstance(value, dict):
        yield from ((str(k), v) for k, v in value.items())
    elif isinstance(value, (tuple, list)):
        names = getattr(value, "_fields", range(len(value)))
        yield from ((str(n), v) for n, v in zip(names, value))


def modules(value: Any, path: str = "") -> Iterator[tuple[str, Module]]:
    """Every module inside a value with its path, from the outside in."""
    if isinstance(value, Module):
        yield path, value
    for name, part in parts(value):
        yield from modules(part, f"{path}.{name}" if path else name)


def rebuilt(value: Any, change: Callable[[Module], dict[str, Any]]) -> Any:
    """The same structure, with the fields that `change` names for each module replaced."""
    if isinstance(value, Module):
        new = {name: rebuilt(part, change) for name, part in parts(value)}
        return dataclasses.replace(as_dataclass(value), **{**new, **change(value)})
    if isinstance(value, dict):
        return {name: rebuilt(part, change) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        inner = [rebuilt(part, change) for part in value]
        return type(value)(*inner) if hasattr(value, "_fields") else type(value)(inner)
    return value


def _mode(model: Any, training: bool) -> Any:
    def change(module: Module) -> dict[str, Any]:
        return {"training": training} if hasattr(module, "training") else {}

    return rebuilt(model, change)


def evaluating(model: Any) -> Any:
    """The model as it is used after training: dropout off, running statistics instead of a batch's.

    A module of one's own has a mode if it has a field `training: bool = nn.static(default=True)`.

    >>> from glassgrad import nn
    >>> net = nn.evaluating(nn.Sequential((nn.Dropout(0.5),)))
    >>> net(1.0)
    1.0
    """
    return _mode(model, False)


def training(model: Any) -> Any:
    """The model as it is used in training; the way back from `evaluating`."""
    return _mode(model, True)
