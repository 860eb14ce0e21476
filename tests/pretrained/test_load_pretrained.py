import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tfanon import experiment
from tfanon.core import checkpoint, files, registry
from tfanon.core.config import Config
from tfanon.pretrained import load_pretrained, weights_record


def write_weights(
    path: pathlib.Path,
    kind: str = "actions",
    network: str = "small3d",
    fresh: Sequence[str] = (),
    **arguments: Any,
) -> keras.Model:
    """Write a file and its record as convert does; return the network in it."""
    model = registry.load_module(kind, network).build(**arguments)
    for variable in weights_record.get_weights(model).values():
        variable.assign(variable + 0.01)
    digest = checkpoint.save_weights(model, path)
    weights_record.write_record(
        path,
        {
            "network": network,
            "kind": kind,
            "arguments": arguments,
            "layout": "none",
            "sha256": digest,
            "bytes": path.stat().st_size,
            "left_out": [],
            "fresh": list(fresh),
            "source": {},
        },
    )
    return model


def get_values(model: keras.Model, of_head: bool) -> dict[str, np.ndarray]:
    """Weights by path, of the head or of all other layers."""
    values = {}
    for path, variable in weights_record.get_weights(model).items():
        if load_pretrained._is_in_head(path) == of_head:
            values[path] = keras.ops.convert_to_numpy(variable)
    return values


def are_equal(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    for path, value in one.items():
        if value.shape != other[path].shape or not np.array_equal(value, other[path]):
            return False
    return True


def test_everything_but_the_head_of_another_task_is_copied(tmp_path):
    source = write_weights(tmp_path / "a.weights.h5", classes=4)
    alike = load_pretrained.build_pretrained_network(
        "actions", "small3d", tmp_path / "a.weights.h5", classes=4
    )
    other = load_pretrained.build_pretrained_network(
        "actions", "small3d", tmp_path / "a.weights.h5", classes=7
    )
    assert are_equal(get_values(source, False), get_values(alike, False))
    assert are_equal(get_values(source, True), get_values(alike, True))
    assert are_equal(get_values(source, False), get_values(other, False))
    assert other.output_shape == (None, 7)


def test_variables_that_were_not_published_keep_their_initial_values(tmp_path):
    source = write_weights(
        tmp_path / "b.weights.h5", "privacy", "small_resnet", ("projection_0/kernel",), embedding=8
    )
    f_B = load_pretrained.build_pretrained_network(
        "privacy", "small_resnet", tmp_path / "b.weights.h5", embedding=8
    )
    ours, theirs = get_values(f_B, True), get_values(source, True)
    assert not np.array_equal(ours["projection_0/kernel"], theirs["projection_0/kernel"])
    assert np.array_equal(ours["projection_1/kernel"], theirs["projection_1/kernel"])
    attacker = load_pretrained.build_pretrained_network(
        "privacy", "small_resnet", tmp_path / "b.weights.h5", attributes=3
    )
    assert are_equal(get_values(source, False), get_values(attacker, False))


def test_weights_are_loaded_on_two_replicas(tmp_path, two_replicas):
    source = write_weights(tmp_path / "a.weights.h5", classes=4)
    with two_replicas.scope():
        f_T = load_pretrained.build_pretrained_network(
            "actions", "small3d", tmp_path / "a.weights.h5", classes=4
        )
    assert are_equal(get_values(source, False), get_values(f_T, False))


def test_without_a_file_the_network_is_only_built():
    model = load_pretrained.build_pretrained_network("actions", "small3d", "", classes=3)
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize(
    "kind, name, arguments, message",
    [
        ("actions", "r3d_18", {"classes": 4}, "holds weights of small3d, not of r3d_18"),
        (
            "privacy",
            "small_resnet",
            {"attributes": 4},
            "holds weights of small3d, not of small_resnet",
        ),
    ],
)
def test_another_network_is_refused(tmp_path, kind, name, arguments, message):
    write_weights(tmp_path / "a.weights.h5", classes=4)
    with pytest.raises(ValueError, match=message):
        load_pretrained.build_pretrained_network(kind, name, tmp_path / "a.weights.h5", **arguments)


def test_another_output_or_width_is_refused(tmp_path):
    write_weights(
        tmp_path / "f.weights.h5", "anonymizers", "unetpp_mobile", width=0.25, output="linear"
    )
    for arguments, message in (
        ({"width": 0.25, "output": "sigmoid"}, "output=linear, not output=sigmoid"),
        ({"width": 0.5, "output": "linear"}, "width=0.25, not width=0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            load_pretrained.build_pretrained_network(
                "anonymizers", "unetpp_mobile", tmp_path / "f.weights.h5", **arguments
            )


def change_record(path: pathlib.Path, **changed: Any) -> None:
    record_path = weights_record.get_record_path(path)
    record = json.loads(record_path.read_text())
    record_path.write_text(json.dumps({**record, **changed}))


def test_altered_files_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "a.weights.h5"
    write_weights(path, classes=4)
    content = path.read_bytes()
    path.write_bytes(content + b"x")
    with pytest.raises(ValueError, match="was altered: it has .* bytes, its record says"):
        load_pretrained.load_pretrained_network(path)
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(ValueError, match="was altered: its SHA-256"):
        load_pretrained.load_pretrained_network(path)
    path.unlink()
    with pytest.raises(ValueError, match="a.weights.h5 is missing"):
        load_pretrained.load_pretrained_network(path)


@pytest.mark.parametrize(
    "changed, message",
    [
        (
            {"arguments": {"classes": 4, "custom_objects": "x"}},
            "has arguments that no network takes",
        ),
        ({"arguments": {"classes": "4"}}, "has arguments that no network takes"),
        ({"kind": "sources"}, "has arguments that no network takes"),
        ({"network": 3}, "network is not as expected"),
        ({"schema_version": 9}, "schema_version is not as expected"),
    ],
)
def test_an_invalid_record_is_refused(tmp_path, changed, message):
    write_weights(tmp_path / "a.weights.h5", classes=4)
    change_record(tmp_path / "a.weights.h5", **changed)
    with pytest.raises(ValueError, match=message):
        load_pretrained.load_pretrained_network(tmp_path / "a.weights.h5")


def test_a_record_must_exist_and_be_complete(tmp_path):
    with pytest.raises(ValueError, match="a.json is missing: weights need the JSON"):
        weights_record.read_record(tmp_path / "a.weights.h5")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a record of weights"):
        weights_record.read_record(tmp_path / "a.weights.h5")


def test_a_file_that_unpacks_to_more_numbers_is_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    write_weights(path, classes=4)
    with h5py.File(path, "a") as file:  # 4 GB of zeros in a few kB
        file.create_dataset("bomb", (1 << 30,), "float32", chunks=(1 << 20,), compression="gzip")
    change_record(path, sha256=files.compute_sha256(path), bytes=path.stat().st_size)
    with pytest.raises(ValueError, match="bytes of numbers, more than the .* of small3d"):
        load_pretrained.load_pretrained_network(path)


def test_a_file_that_refers_to_another_file_is_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    write_weights(path, classes=4)
    with h5py.File(path, "a") as file:
        file["more"] = h5py.ExternalLink("/etc/other.h5", "/")
    change_record(path, sha256=files.compute_sha256(path), bytes=path.stat().st_size)
    with pytest.raises(ValueError, match=r"refers to other files or places \(more\)"):
        load_pretrained.load_pretrained_network(path)


def test_an_experiment_refuses_wrong_weights_before_it_begins(tmp_path):
    write_weights(tmp_path / "a.weights.h5", classes=4)
    path = str(tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match="holds weights of small3d, not of resnet50"):
        experiment.check_initial_weights(Config(privacy_weights=path))
    with pytest.raises(ValueError, match="not from both"):
        experiment.check_initial_weights(
            Config(action_network="small3d", action_weights=path, init_action_from_raw=True)
        )
    with pytest.raises(
        ValueError, match="--eval_action_network=r3d_18 has to be --action_network=small3d"
    ):
        experiment.check_initial_weights(
            Config(
                action_network="small3d", eval_action_network="r3d_18", init_action_from_raw=True
            )
        )
    experiment.check_initial_weights(Config(action_network="small3d", eval_action_weights=path))
