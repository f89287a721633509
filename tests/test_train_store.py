"""Saving and loading models, and configs that are damaged or hostile."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from glassgrad import nn, random
from glassgrad.data.bad_input import BadInput
from glassgrad.train.folder import digest
from glassgrad.train.store import load, save
from glassgrad.train.weights import pack


@pytest.fixture
def saved(tmp_path):
    net = nn.MLP.init([3, 4, 2], key=random.key(0))
    save(net, tmp_path / "model")
    return net, tmp_path / "model"


def edit(path, change):
    config = json.loads((path / "config.json").read_text())
    change(config)
    (path / "config.json").write_text(json.dumps(config))


def refusal(path, change, **options):
    edit(path, change)
    with pytest.raises(BadInput) as caught:
        load(path, **options)
    return str(caught.value).replace(str(path), "F")


def test_networks_go_there_and_back(saved):
    net, path = saved
    x = np.ones((5, 3), np.float32)
    assert (load(path)(x) == net(x)).all()
    other = nn.Sequential((net.layers[0], nn.Activation("tanh"), nn.Linear(np.ones((1, 4)))))
    save(other, path)
    assert load(path)(x).tolist() == other(x).tolist()
    assert load(path).layers[2].bias is None


def test_the_folder_is_all_it_takes(saved, tmp_path):
    net, path = saved
    moved = path.rename(tmp_path / "elsewhere")
    assert load(moved).sizes == net.sizes


def test_pytorch_finds_its_names(saved):
    _, path = saved
    names = json.loads((path / "config.json").read_text())["model"]["layers"][1]
    assert names["weight"] == {"tensor": "layers.1.weight"}


class Own(nn.Module):
    first: nn.Linear
    parts: Any
    word: str = "static"


def test_a_module_of_ones_own_is_loaded_into_a_template(tmp_path):
    own = Own(nn.Linear(np.eye(2)), {"a": [np.array(1.5)], "b": (np.arange(3),)})
    save(own, tmp_path / "m")
    with pytest.raises(BadInput, match=r"'Own'.*gg\.load\(folder, into=it\)"):
        load(tmp_path / "m")
    blank = Own(nn.Linear(np.zeros((2, 2))), {"a": [np.array(0.0)], "b": (np.zeros(3, int),)})
    back = load(tmp_path / "m", into=blank)
    assert (back.first.weight == np.eye(2)).all() and back.parts["a"][0] == 1.5
    assert back.parts["b"][0].tolist() == [0, 1, 2] and back.word == "static"
    for wrong, said in [
        (replace(blank, first=nn.Linear(np.zeros((3, 2)))), r"'first\.weight' is float64\[2, 2\]"),
        (replace(blank, parts={"c": np.zeros(1)}), r"needs a tensor 'parts\.c'"),
        (replace(blank, parts=()), "no place for"),
    ]:
        with pytest.raises(BadInput, match=said):
            load(tmp_path / "m", into=wrong)


def test_functions_and_objects_are_not_saved(tmp_path):
    @dataclass(frozen=True)
    class Holder:
        thing: Any

    with pytest.raises(BadInput, match="cannot be saved"):
        save(Holder(np.array([object()])), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def layer(config):
    return config["model"]["layers"][0]


CHANGES = {
    "unknown layer": (lambda c: layer(c).update(type="Popen"), "'Popen' is no layer"),
    "class in a module": (lambda c: layer(c).update(type="os.system"), "'os.system' is no layer"),
    "wrong place": (lambda c: layer(c).update(type="Activation"), "does not go here"),
    "type is a list": (lambda c: layer(c).update(type=["Linear"]), "must name a layer"),
    "missing key": (lambda c: layer(c).pop("bias"), "Linear lacks the key 'bias'"),
    "extra key": (lambda c: layer(c).update(__init__=1), "no key '__init__'"),
    "near key": (lambda c: c["model"].update(activaton="relu"), "Did you mean 'activation'"),
    "activation": (lambda c: c["model"].update(activation="eval"), "no activation is called"),
    "activation number": (lambda c: c["model"].update(activation=1), "a text belongs here"),
    "layers text": (lambda c: c["model"].update(layers="x"), "a list belongs here"),
    "no layers": (lambda c: c["model"].update(layers=[]), "at least one layer"),
    "layer is null": (lambda c: c["model"].update(layers=[None]), "an object belongs here"),
    "tensor name": (lambda c: layer(c)["weight"].update(tensor="w"), "no unused tensor"),
    "tensor twice": (
        lambda c: c["model"]["layers"].append(c["model"]["layers"][0]),
        "no unused tensor",
    ),
    "tensor unused": (lambda c: layer(c).update(bias=None), "belong to no layer"),
    "weight is a number": (lambda c: layer(c).update(weight=1), "an object belongs here"),
    "layers reversed": (lambda c: c["model"]["layers"].reverse(), "layer 0 has 2 outputs but"),
    "format": (lambda c: c.update(format="keras"), "no model of glassgrad"),
    "version": (lambda c: c.update(version=2), "version 2"),
    "version true": (lambda c: c.update(version=True), "version True"),
    "weights file": (lambda c: c["weights"].update(file="/etc/passwd"), "model.safetensors"),
    "digest": (lambda c: c["weights"].update(sha256="0"), "SHA-256 differs"),
    "digest number": (lambda c: c["weights"].update(sha256=0), "sha256"),
    "no model": (lambda c: c.pop("model"), "'model' is missing"),
    "model list": (lambda c: c.update(model=[]), "'model' is missing"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_wrong_configs_are_refused_by_place(saved, name):
    change, said = CHANGES[name]
    message = refusal(saved[1], change)
    assert said in message and message.startswith("F/") and "\n" not in message


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10**5, b'{"a":NaN}'])
def test_configs_that_are_no_configs(saved, text):
    (saved[1] / "config.json").write_bytes(text)
    with pytest.raises(BadInput, match=r"config\.json"):
        load(saved[1])


def test_a_config_nested_without_end(saved):
    text = '{"type":"Sequential","layers":['
    for depth in (100, 300, 5000):
        body = text * depth + "]}" * depth
        config = json.loads((saved[1] / "config.json").read_text())
        config["model"] = "HERE"
        (saved[1] / "config.json").write_text(json.dumps(config).replace('"HERE"', body))
        with pytest.raises(BadInput, match=r"nested too deeply|belong to no layer"):
            load(saved[1])


def test_weights_that_do_not_fit(saved):
    net, path = saved
    for weight, said in [
        (np.zeros((4, 3), np.int32), "dtype int32"),
        (np.zeros((4, 3)), r"bias is float32\[4\]"),
        (np.zeros(12, np.float32), "matrix is needed"),
        (np.zeros((5, 3), np.float32), "bias is"),
        (np.zeros((0, 3), np.float32), "matrix is needed"),
    ]:
        arrays = {"layers.0.weight": weight, "layers.0.bias": net.layers[0].bias}
        arrays |= {"layers.1.weight": net.layers[1].weight, "layers.1.bias": net.layers[1].bias}
        data = pack(arrays)
        (path / "model.safetensors").write_bytes(data)
        edit(path, lambda c, data=data: c["weights"].update(sha256=digest(data)))
        with pytest.raises(BadInput, match=said):
            load(path)


def test_truncated_weights_are_refused_at_every_length(saved):
    _, path = saved
    data = (path / "model.safetensors").read_bytes()
    for length in range(0, len(data), 7):
        (path / "model.safetensors").write_bytes(data[:length])
        with pytest.raises(BadInput, match=r"model\.safetensors"):
            load(path)


def test_a_model_that_cannot_be_saved_leaves_the_old_one(saved):
    net, path = saved
    bad = replace(net.layers[0], bias=np.array(["text"]))
    with pytest.raises(BadInput):
        save(bad, path)
    assert load(path).sizes == (3, 4, 2)
