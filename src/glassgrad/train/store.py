"""Saves models to folders and loads them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glassgrad.data.bad_input import BadInput, listing
from glassgrad.train.describe import Tensors, Unregistered, describe, restore
from glassgrad.train.folder import (
    CONFIG,
    WEIGHTS,
    check_target,
    digest,
    read_config,
    read_weights,
    write_folder,
)
from glassgrad.train.registered import KINDS
from glassgrad.train.strict_json import parse_json
from glassgrad.train.template import fill_template, name_arrays
from glassgrad.train.weights import pack, unpack

FORMAT = "glassgrad-model"
VERSION = 1


def save(model: Any, folder: str | Path) -> None:
    """Write a model as `config.json` and `model.safetensors`, completely or not at all.

    A module of registered layers is described whole; of any other module the arrays are kept, and
    `load(folder, into=template)` puts them back. An older model in the folder survives a failure.
    """
    path = Path(folder)
    check_target(path)
    body, tensors = _body(model)
    weights = pack(tensors)
    config = {
        "format": FORMAT,
        "version": VERSION,
        "weights": {"file": WEIGHTS, "sha256": digest(weights)},
        "model": body,
    }
    text = json.dumps(config, indent=2, allow_nan=False, ensure_ascii=False)
    write_folder(path, text.encode(), weights)


def load(folder: str | Path, into: Any = None) -> Any:
    """The model of a folder; `into` is a template for a module of your own.

    Only registered layers are built, and no code from the folder runs. Raises BadInput that names
    the file and the place in it when anything is missing, damaged or unknown.
    """
    path = Path(folder)
    shown = str(path / CONFIG)
    text = read_config(path)
    config = _check_config(text, shown)
    try:
        data = read_weights(path, config["weights"]["sha256"])
    except BadInput:
        # Another process may have replaced the model between our two reads.
        fresh = read_config(path)
        if fresh == text:
            raise
        config = _check_config(fresh, shown)
        data = read_weights(path, config["weights"]["sha256"])
    tensors = unpack(data, str(path / WEIGHTS))
    if into is not None:
        return fill_template(into, tensors, str(path / WEIGHTS))
    body = config["model"]
    if "template" in body:
        raise BadInput(
            f"{shown}: the model is a module of its author, {str(body['template'])[:80]!r}. "
            "Build one of that class and load with gg.load(folder, into=it)."
        )
    try:
        model = restore(body, object, KINDS, tensors, f"{shown}: model")
    except RecursionError:
        raise BadInput(f"{shown}: damaged: nested too deeply.") from None
    if tensors:
        raise BadInput(f"{path / WEIGHTS}: the tensors {listing(tensors)} belong to no layer.")
    return model


def _body(model: Any) -> tuple[Any, Tensors]:
    """What config.json says of a model, and its arrays."""
    tensors: Tensors = {}
    try:
        body = describe(model, KINDS, "", tensors)
    except Unregistered:
        return {"template": type(model).__name__}, name_arrays(model)
    if isinstance(body, dict) and "type" in body:
        return body, tensors
    return {"template": type(model).__name__}, name_arrays(model)


def _check_config(text: str, shown: str) -> dict[str, Any]:
    config = parse_json(text, shown)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise BadInput(f"{shown}: this is no model of glassgrad: 'format' is not {FORMAT!r}.")
    if type(config.get("version")) is not int or config["version"] != VERSION:
        raise BadInput(
            f"{shown}: the file has version {str(config.get('version'))[:40]}, this glassgrad "
            f"reads version {VERSION}. Upgrade glassgrad, or save the model again."
        )
    weights = config.get("weights")
    known = weights if isinstance(weights, dict) else {}
    if not isinstance(known.get("sha256"), str) or known.get("file") != WEIGHTS:
        raise BadInput(f"{shown}: damaged: 'weights' must give the file {WEIGHTS} and its sha256.")
    if not isinstance(config.get("model"), dict):
        raise BadInput(f"{shown}: damaged: the key 'model' is missing or no object.")
    return config
