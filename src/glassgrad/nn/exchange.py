"""Arrays of a model by PyTorch's names, out and in, so that weights can be copied both ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from glassgrad.graph.errors import ShapeError
from glassgrad.nn.module import Module, as_dataclass, parts
from glassgrad.nn.network import MLP, Sequential

Visit = Callable[[str, Any], Any]


def named_arrays(model: Any) -> dict[str, np.ndarray]:
    """The arrays of a model under the names that PyTorch's `state_dict` has.

    Layers in a row are numbered: the second layer's weight is "1.weight". Activations count, as
    they do in torch.nn.Sequential; in an `MLP` they stand between the linear layers.

    >>> from glassgrad import nn
    >>> net = nn.Sequential((nn.Linear(np.eye(2), np.zeros(2)), nn.Activation("relu")))
    >>> list(named_arrays(net))
    ['0.weight', '0.bias']
    """
    found: dict[str, np.ndarray] = {}

    def note(name: str, array: Any) -> Any:
        found[name] = array
        return array

    _visit(model, "", note)
    return found


def with_arrays(model: Any, arrays: Mapping[str, Any], *, whole: bool = True) -> Any:
    """The model with the arrays of those names, for instance of a PyTorch `state_dict`.

    Each is converted to the dtype that it replaces; names and shapes must agree. With `whole` every
    array must find its place. PyTorch keeps running statistics beside the weights: both are taken
    from the same arrays, model and `nn.initial_state(model)` one after the other, with whole=False.

    >>> from glassgrad import nn
    >>> net = with_arrays(nn.Linear(np.zeros((1, 2))), {"weight": [[1.0, 2.0]]})
    >>> net.weight.tolist()
    [[1.0, 2.0]]
    """
    rest = dict(arrays)

    def take(name: str, old: Any) -> Any:
        if name not in rest:
            raise ShapeError(f"the model needs an array {name!r}; given are {', '.join(arrays)}")
        new = np.asarray(rest.pop(name), old.dtype)
        if new.shape != old.shape:
            raise ShapeError(f"{name} has shape {new.shape}; the model has {tuple(old.shape)}")
        return new

    model = _visit(model, "", take)
    if rest and whole:
        raise ShapeError(
            f"the model has no place for {', '.join(map(repr, rest))}. To leave them out, running "
            "statistics for instance, say whole=False."
        )
    return model


def _visit(value: Any, path: str, visit: Visit) -> Any:
    """The structure with every array given to `visit` under its name."""
    if isinstance(value, (np.ndarray, np.generic)):
        return visit(path, value)
    if isinstance(value, MLP | Sequential):
        stride = 2 if isinstance(value, MLP) else 1
        layers = (_visit(v, _under(path, i * stride), visit) for i, v in enumerate(value.layers))
        return dataclasses.replace(value, layers=tuple(layers))
    inner = [(name, _visit(part, _under(path, name), visit)) for name, part in parts(value)]
    if isinstance(value, Module):
        return dataclasses.replace(as_dataclass(value), **dict(inner))
    if isinstance(value, dict):
        return dict(zip(value, (v for _, v in inner)))
    if isinstance(value, (tuple, list)):
        values = [v for _, v in inner]
        return type(value)(*values) if hasattr(value, "_fields") else type(value)(values)
    return value


def _under(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
