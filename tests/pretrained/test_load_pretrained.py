import json

import h5py
import keras
import numpy as np
import pytest

from tfanon import experiment
from tfanon.core import checkpoint, registry
from tfanon.core.config import Config
from tfanon.pretrained import load_pretrained, weights_record


def made(path, kind="actions", network="small3d", fresh=(), **arguments):
    """A file as convert leaves it; returns the network in it."""
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


def values(model, head):
    """Weights by path, of the head or of the rest."""
    return {
        path: keras.ops.convert_to_numpy(variable)
        for path, variable in weights_record.get_weights(model).items()
        if load_pretrained._is_head(path) == head
    }


def same(one, other):
    return all(
        one[path].shape == other[path].shape and np.array_equal(one[path], other[path])
        for path in one
    )


def test_all_but_another_tasks_head_is_taken_over(tmp_path):
    source = made(tmp_path / "a.weights.h5", classes=4)
    alike = load_pretrained.build_pretrained_network(
        "actions", "small3d", tmp_path / "a.weights.h5", classes=4
    )
    other = load_pretrained.build_pretrained_network(
        "actions", "small3d", tmp_path / "a.weights.h5", classes=7
    )
    assert same(values(source, False), values(alike, False)) and same(
        values(source, True), values(alike, True)
    )
    assert same(values(source, False), values(other, False)) and other.output_shape == (None, 7)


def test_what_the_file_did_not_hold_starts_afresh(tmp_path):
    source = made(
        tmp_path / "b.weights.h5", "privacy", "small_resnet", ("projection_0/kernel",), embedding=8
    )
    f_B = load_pretrained.build_pretrained_network(
        "privacy", "small_resnet", tmp_path / "b.weights.h5", embedding=8
    )
    ours, theirs = values(f_B, True), values(source, True)
    assert not np.array_equal(ours["projection_0/kernel"], theirs["projection_0/kernel"])
    assert np.array_equal(ours["projection_1/kernel"], theirs["projection_1/kernel"])
    judge = load_pretrained.build_pretrained_network(
        "privacy", "small_resnet", tmp_path / "b.weights.h5", attributes=3
    )
    assert same(values(source, False), values(judge, False))


def test_on_two_replicas(tmp_path, two_replicas):
    source = made(tmp_path / "a.weights.h5", classes=4)
    with two_replicas.scope():
        f_T = load_pretrained.build_pretrained_network(
            "actions", "small3d", tmp_path / "a.weights.h5", classes=4
        )
    assert same(values(source, False), values(f_T, False))


def test_without_a_file_the_network_is_just_built():
    assert load_pretrained.build_pretrained_network(
        "actions", "small3d", "", classes=3
    ).output_shape == (None, 3)


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
    made(tmp_path / "a.weights.h5", classes=4)
    with pytest.raises(ValueError, match=message):
        load_pretrained.build_pretrained_network(kind, name, tmp_path / "a.weights.h5", **arguments)


def test_another_output_or_width_is_refused(tmp_path):
    made(tmp_path / "f.weights.h5", "anonymizers", "unetpp_mobile", width=0.25, output="linear")
    for asked, message in (
        ({"width": 0.25, "output": "sigmoid"}, "output=linear, not output=sigmoid"),
        ({"width": 0.5, "output": "linear"}, "width=0.25, not width=0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            load_pretrained.build_pretrained_network(
                "anonymizers", "unetpp_mobile", tmp_path / "f.weights.h5", **asked
            )


def change(path, **changed):
    beside = weights_record.get_record_path(path)
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **changed}))


def test_altered_files_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "a.weights.h5"
    made(path, classes=4)
    content = path.read_bytes()
    path.write_bytes(content + b"x")
    with pytest.raises(ValueError, match="was altered: it has .* bytes, recorded are"):
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
            "names arguments that no network here takes",
        ),
        ({"arguments": {"classes": "4"}}, "names arguments that no network here takes"),
        ({"kind": "sources"}, "names arguments that no network here takes"),
        ({"network": 3}, "network is not as expected"),
        ({"schema_version": 9}, "schema_version is not as expected"),
    ],
)
def test_a_strange_record_is_refused(tmp_path, changed, message):
    made(tmp_path / "a.weights.h5", classes=4)
    change(tmp_path / "a.weights.h5", **changed)
    with pytest.raises(ValueError, match=message):
        load_pretrained.load_pretrained_network(tmp_path / "a.weights.h5")


def test_a_record_must_be_there_and_be_json(tmp_path):
    with pytest.raises(ValueError, match="a.json is missing: weights are taken with the JSON"):
        weights_record.read_record(tmp_path / "a.weights.h5")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match="is no record of weights"):
        weights_record.read_record(tmp_path / "a.weights.h5")


def test_a_file_that_unpacks_to_more_is_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    made(path, classes=4)
    with h5py.File(path, "a") as file:  # 4 GB of zeros in a few kB
        file.create_dataset("bomb", (1 << 30,), "float32", chunks=(1 << 20,), compression="gzip")
    change(path, sha256=checkpoint.files.sha256(path), bytes=path.stat().st_size)
    with pytest.raises(ValueError, match="bytes of numbers, more than small3d's"):
        load_pretrained.load_pretrained_network(path)


def test_a_file_that_points_elsewhere_is_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    made(path, classes=4)
    with h5py.File(path, "a") as file:
        file["more"] = h5py.ExternalLink("/etc/other.h5", "/")
    change(path, sha256=checkpoint.files.sha256(path), bytes=path.stat().st_size)
    with pytest.raises(ValueError, match=r"points to other files or places \(more\)"):
        load_pretrained.load_pretrained_network(path)


def test_a_run_refuses_them_before_it_begins(tmp_path):
    made(tmp_path / "a.weights.h5", classes=4)
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
