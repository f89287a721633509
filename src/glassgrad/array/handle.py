"""`gg.Array`: a lazy array. It computes nothing until something forces it.

It is a handle on a storage cell and a view path, and takes part in NumPy by its protocols. What was
forced (a truth value, an integer) is remembered as a guard, since the program's course may hang on
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from glassgrad.array.index import Index, parse, seen_shape
from glassgrad.array.protocol import HANDLERS, METHODS
from glassgrad.array.storage import Cell, look, put, stays_view
from glassgrad.engines.reference import bound_order, interpret
from glassgrad.graph.dtype import DType, is_float
from glassgrad.graph.errors import (
    DTypeError,
    IndexRangeError,
    NoRuleError,
    ShapeError,
    UnboundError,
)
from glassgrad.graph.family import broadcast_to, cast, reshape
from glassgrad.graph.node import ACTIVE, Guard, Input, NDArray, Node, Trace, constant
from glassgrad.graph.op import Op, Shape
from glassgrad.graph.provenance import at_caller
from glassgrad.graph.text import text
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.gather import scatter, take
from glassgrad.ops.select import where


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array whose value is a node of a graph.

    Inside a function that glassgrad differentiates or compiles, arrays are of this type; all of
    NumPy's arithmetic, its functions that have a rule, views and in-place writes work as on an
    ndarray. `gg.variables` makes ones that have no value at all.
    """

    __slots__ = ("__weakref__", "_cell", "_key", "_path", "_shape", "_weak")
    __array_priority__ = 1000.0

    def __init__(
        self,
        node: Node | None = None,
        *,
        cell: Cell | None = None,
        path: tuple[Op, ...] = (),
        key: tuple[int, ...] = (),
        shape: Shape | None = None,
        weak: bool = False,
    ) -> None:
        if cell is None:
            if node is None:
                raise TypeError("gg.Array is made by gg.variables or by tracing a function")
            cell = Cell(node)
        self._cell = cell
        self._path = path
        self._key = key
        self._weak = weak  # stands for a Python number: takes the dtype of what it meets
        self._shape = cell.base.shape if shape is None else shape

    # -- what it is -------------------------------------------------------------------------

    @property
    def node(self) -> Node:
        """The node of the present value."""
        if self._key:
            return look(self._cell.read_at(self._key), self._path)
        return look(self._cell.read(), self._path)

    @property
    def shape(self) -> Shape:
        """The extents of the axes."""
        return self._shape

    @property
    def dtype(self) -> DType:
        """The dtype, as NumPy's."""
        return self._cell.base.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self._shape, dtype=np.int64))

    @property
    def T(self) -> Array:
        """The axes in reverse order, as a view."""
        return self.transpose()

    @property
    def mT(self) -> Array:
        """Each matrix of a stack transposed, as a view."""
        return self.swapaxes(-2, -1)

    def through(self, *ops: Op, shape: Shape) -> Array:
        """A handle on the same storage, seen through more view ops."""
        return Array(cell=self._cell, path=(*self._path, *ops), key=self._key, shape=shape)

    def shares(self, shape: Shape) -> bool:
        """Whether NumPy would reshape this array without a copy, so that both see all writes."""
        part = self._cell.base.shape[len(self._key) :]
        return not self._path or stays_view(part, self._path, shape)

    # -- protocols --------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return HANDLERS["ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return HANDLERS["function"](func, args, kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        """The value of an array that depends on no variable; an error for any other."""
        if self.node.bound and not is_float(self.dtype):
            raise NoRuleError(
                f"a traced array of {self.dtype} was used where NumPy needs its numbers: a plain "
                "array is read at traced places by np.array(table)[i] inside the traced function, "
                "by gg.numpy.take(table, i, axis=0), or as an argument of it; to choose by a "
                "traced mask there is np.where"
                f"{at_caller()}"
            )
        if self.node.bound:
            raise NoRuleError(
                "a traced array was asked to become a plain ndarray, which would drop its "
                "derivative silently: use a NumPy function that has a rule, np.stack or "
                "np.concatenate to join arrays, or gg.stop_gradient where no derivative is wanted"
                f"{at_caller()}"
            )
        return np.asarray(self.value(), dtype=dtype)

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return id(self) >> 4

    # -- forcing ----------------------------------------------------------------------------

    def value(self) -> NDArray:
        """The value now, computed if it must be; an `UnboundError` where variables have none."""
        return force(self.node)

    def _guarded(self) -> Any:
        """The value, remembered as one on which the program's course may hang."""
        node = self.node
        found = force(node)
        if node.bound:
            guards = node.trace.root().guards
            if not any(g.node is node for g in guards):
                guards.append(Guard(node, found))
        return found

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"the truth value of an array of shape {self.shape} is ambiguous: use .any(), "
                f".all() or np.where{at_caller()}"
            )
        return bool(self._guarded())

    def __int__(self) -> int:
        if is_float(self.dtype):
            self._refuse("int")
        return int(self._guarded())

    def __index__(self) -> int:
        if is_float(self.dtype) or self.size != 1 or self.dtype == np.bool_:
            raise DTypeError(f"only an integer can be used as an index, not {self!r}{at_caller()}")
        if _has_no_value(self):
            raise UnboundError(
                "a list is read at a number that is not known while the function is traced: write "
                "np.array(values)[i] or gg.numpy.take(values, i, axis=0) instead of values[i]"
                f"{at_caller()}"
            )
        return int(self._guarded())

    def __float__(self) -> float:
        if self.node.linked:
            self._refuse("float")
        return float(self._guarded())

    def __complex__(self) -> NoReturn:
        raise DTypeError(f"complex numbers are not supported yet{at_caller()}")

    def _refuse(self, what: str) -> NoReturn:
        raise NoRuleError(
            f"{what}(t) of a traced real value would drop its derivative silently: write np.exp(t) "
            "instead of math.exp(t), keep it an array, or use gg.stop_gradient(t) where no "
            f"derivative is wanted{at_caller()}"
        )

    def item(self) -> Any:
        """The one element as a Python number; an error for a traced real value."""
        if self.size != 1:
            raise ShapeError(f"item() of an array of shape {self.shape}: it needs one element")
        return float(self) if is_float(self.dtype) else self._guarded().item()

    def tolist(self) -> Any:
        """Nested lists: of handles for real values, of Python numbers for integers and booleans."""
        if not is_float(self.dtype) or not self.node.bound:
            return self._guarded().tolist()
        return [x.tolist() if x.ndim else x for x in self] if self.ndim else self

    def __repr__(self) -> str:
        node = self.node
        try:
            shown = np.array2string(force(node), separator=", ")
        except UnboundError:
            return f"<expression {text(node)} : {self.dtype}{list(self.shape)}>"
        return f"<traced {shown} : {self.dtype}{list(self.shape)}>"

    def __str__(self) -> str:
        node = self.node
        try:
            return str(force(node))
        except UnboundError:
            return text(node)

    def __format__(self, spec: str) -> str:
        return format(force(self.node)[()], spec) if spec else str(self)

    # -- elements ---------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self._shape:
            raise ShapeError(f"len() of a 0-d array{at_caller()}")
        return self._shape[0]

    def __iter__(self) -> Iterator[Array]:
        for i in range(len(self)):
            yield self[i]

    def _parse(self, index: Any) -> Index:
        return parse(index, self._shape, is_array, lambda mask: np.nonzero(_forced(mask)))

    def __getitem__(self, index: Any) -> Array:
        found = self._parse(index)
        if found.arrays:
            taken = look(self.node, found.path)
            return Array(take(taken, _indices(found, self), found.axis))
        if found.key is not None and not self._path:
            key = self._key + found.key
            return Array(cell=self._cell, key=key, shape=self._shape[len(found.key) :])
        return self.through(*found.path, shape=seen_shape(self._shape, found.path))

    def __setitem__(self, index: Any, value: Any) -> None:
        if is_array(index) and index.dtype == np.bool_ and np.shape(value) in ((), (1,)):
            self._write_where(index, value)  # no need to know the mask
            return
        found = self._parse(index)
        if found.arrays:
            self.change_at(found, value, scatter)
            return
        if found.key is not None and not self._path:
            Array(
                cell=self._cell, key=self._key + found.key, shape=self._shape[len(found.key) :]
            ).write(value)
            return
        self[index].write(value)

    def _write_where(self, mask: Any, value: Any) -> None:
        old = self.node
        chosen = as_node(mask, old.trace)
        chosen = chosen if chosen.ndim == old.ndim else _lead_mask(chosen, old)
        self.write(Array(where.apply(chosen, self._fit(value), old)))

    def change_at(self, index: Index, value: Any, change: Callable[..., Node]) -> None:
        """Scatter or add values at arrays of integers; duplicates count in order."""
        seen = self.through(*index.path, shape=seen_shape(self._shape, index.path))
        indices, axis = _indices(index, self), index.axis
        shape = (*seen.shape[:axis], *indices[0].shape, *seen.shape[axis + len(indices) :])
        seen.write(Array(change(seen.node, self._fit(value, shape), indices, axis)))

    def _fit(self, value: Any, shape: Shape | None = None) -> Node:
        """A value as a node of this array's dtype, and of a shape, by NumPy's same-kind rule."""
        shape = self.shape if shape is None else shape
        node = as_node(value, self._cell.base.trace)
        if node.dtype != self.dtype and not np.can_cast(node.dtype, self.dtype, "same_kind"):
            raise DTypeError(
                f"cannot write {node.dtype} values into an array of {self.dtype}: make the array "
                f"of dtype {node.dtype}, or convert with .astype{at_caller()}"
            )
        node = cast(node, self.dtype)
        while node.ndim > len(shape) and node.shape[0] == 1:
            node = look(node, parse(0, node.shape, is_array, np.nonzero).path)
        try:
            return broadcast_to(node, shape)
        except ShapeError:
            raise ShapeError(
                f"cannot write values of shape {node.shape} into shape {shape}{at_caller()}"
            ) from None

    def write(self, value: Any) -> None:
        """Put values into this array's storage; whoever shares it sees them."""
        fitted = self._fit(value)
        if not self._key:
            self._cell.write(put(self._cell.read(), self._path, fitted))
        elif not self._path:
            self._cell.write_at(self._key, fitted)
        else:
            self._cell.write_at(self._key, put(self._cell.read_at(self._key), self._path, fitted))

    # -- methods that NumPy's arrays have, by the functions of the same name -------------------

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = METHODS.get(name)
        if method is None:
            if name.startswith("__"):
                raise AttributeError(name)
            known = ", ".join(sorted(METHODS))
            raise AttributeError(
                f"a traced array has no attribute {name!r} yet; it has: {known}{at_caller()}"
            )

        def call(*args: Any, **kwargs: Any) -> Any:
            return method(self, *args, **kwargs)

        return call

    def transpose(self, *axes: Any) -> Array:
        """The axes in another order (reversed by default), as a view."""
        return METHODS["transpose"](self, axes[0] if len(axes) == 1 else axes or None)


def is_array(x: Any) -> bool:
    """Whether an index part is an array of indices: an ndarray, or a handle that has axes.

    A 0-d handle without a value (the row of a scan, an example under vmap) is one too.
    """
    return isinstance(x, np.ndarray) or (
        isinstance(x, Array) and (x.ndim > 0 or x.dtype == np.bool_ or _has_no_value(x))
    )


def _has_no_value(x: Array) -> bool:
    """Whether an integer depends on a variable that is not bound."""
    node, values = x.node, x.node.trace.root().values
    if x.dtype.kind not in "iu" or not node.bound or node in values:
        return False
    return any(isinstance(n.op, Input) for n in topological_order([node], values))


def _forced(mask: Any) -> NDArray:
    return mask._guarded() if isinstance(mask, Array) else mask


def _indices(index: Index, owner: Array) -> list[Node]:
    nodes = [as_node(a, owner.node.trace) for a in index.arrays]
    if any(n.dtype.kind not in "iu" for n in nodes):
        raise DTypeError(f"an index array must hold integers, not {nodes[0].dtype}{at_caller()}")
    _check(index, owner, nodes)
    shape = np.broadcast_shapes(*(n.shape for n in nodes))
    return [broadcast_to(n, shape) for n in nodes]


def _check(index: Index, owner: Array, nodes: list[Node]) -> None:
    """Constant indices are checked here, on the user's line; computed ones when they run."""
    shape = seen_shape(owner.shape, index.path)
    for given, n in zip(index.arrays, shape[index.axis :]):
        if isinstance(given, np.ndarray) and given.size and (given.max() >= n or given.min() < -n):
            raise IndexRangeError(
                f"index {given.max() if given.max() >= n else given.min()} is out of range for an "
                f"axis of length {n}{at_caller()}"
            )


def _lead_mask(mask: Node, like: Node) -> Node:
    grown = reshape(mask, (*mask.shape, *[1] * (like.ndim - mask.ndim)))
    return broadcast_to(grown, like.shape)


def as_node(x: Any, trace: Trace | None = None) -> Node:
    """The node of a handle; a constant node for an ndarray or a number."""
    if isinstance(x, Array):
        return x.node
    trace = trace or ACTIVE.get()
    if trace is None:
        trace = Trace()
    if isinstance(x, list | tuple):
        return HANDLERS["nested"](x, None, trace).node
    return constant(trace, x)


def force(node: Node) -> NDArray:
    """The value of a node, from what is known in its trace; what is computed is kept there."""
    values = node.trace.root().values
    if node not in values:
        for _ in interpret(bound_order([node], values), values):
            pass
    return values[node]
