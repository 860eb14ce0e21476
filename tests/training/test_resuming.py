"""A run that is stopped, killed, repeated or shared by two workers, in processes of their own."""

import contextlib
import json
import signal
import socket
import time

import numpy as np
import pytest
import tensorflow as tf
from helpers import TRAIN
from processes import TINY, data, finish, start, weights  # noqa: F401  data is a fixture

from tfanon import experiment
from tfanon.core.config import Config

# A run that kills itself: at the n-th moment at which a file of a phase is about to get its name.
SUICIDE = (
    """
import os, signal
real, moment, seen = os.replace, {moment}, 0
def replace(source, target):
    global seen
    if "/{phase}/step-" in str(target):
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
os.replace = replace
"""
    + TRAIN
)


@pytest.fixture(scope="module")
def tiny(data, tmp_path_factory):
    """An uninterrupted run of tiny networks, and what it printed."""
    workdir = tmp_path_factory.mktemp("runs") / "tiny"
    code, out, err = finish(start(workdir, data, *TINY))
    assert code == 0, err
    return workdir, out


def test_baselines_stand_beside_f_A(tiny):
    workdir, out = tiny
    results = json.loads((workdir / "results.json").read_text())
    assert [row["anonymizer"] for row in results["rows"]] == ["blur", "f_A"]
    for row in results["rows"]:
        assert 0 <= row["action_top1"] <= 1 and 0 <= row["images"]["cmap"] <= 1
        assert row["images"]["cmap_above_floor"] == pytest.approx(
            row["images"]["cmap"] - row["images"]["cmap_chance"]
        )
    assert (workdir / "results.txt").read_text().strip() in out


def test_a_finished_run_is_not_run_again(tiny, data):
    workdir, out = tiny
    before = weights(workdir)
    code, again, err = finish(start(workdir, data, *TINY))
    assert code == 0, err
    assert again == out and " step " not in err
    assert all(np.array_equal(value, before[name]) for name, value in weights(workdir).items())


def test_another_configuration_is_refused(tiny, data):
    code, _, err = finish(start(tiny[0], data, *TINY, "--penalty_bound=0.2"))
    assert code == 1
    assert "--penalty_bound=0.3 there, --penalty_bound=0.2 asked for" in err


def test_a_start_that_computed_nothing_binds_nobody(tmp_path):
    configs = [Config(workdir=str(tmp_path), penalty_bound=bound) for bound in (0.1, 0.2)]
    for config in configs:
        with experiment.lock_run_folder(config):
            pass  # where a name that is wrong is refused
    (tmp_path / "phases/initialise").mkdir(parents=True)
    (tmp_path / "phases/initialise/step-00000010.weights.h5").touch()
    with pytest.raises(
        ValueError, match="--penalty_bound=0.2 there, --penalty_bound=0.1 asked for"
    ):
        with experiment.lock_run_folder(configs[0]):
            pass


@pytest.mark.parametrize(
    "moments", [(4,), pytest.param((3, 4), marks=pytest.mark.large)]
)  # its weights, its manifest
def test_killed_and_run_again_ends_bit_for_bit_the_same(tiny, data, tmp_path, moments):
    # Two processes against the one of the run that was not interrupted.
    killed_and_run_again(tmp_path, data, [*TINY, "--processes=2"], "anonymize", *moments)
    assert_equal(weights(tiny[0]), weights(tmp_path))
    judged, played = writers(tmp_path, "action-blur"), writers(tmp_path, "anonymize")
    assert judged.isdisjoint(played) and len(played) == len(moments) + 1


@pytest.mark.large
def test_killed_while_judging_and_run_again(tiny, data, tmp_path):
    killed_and_run_again(tmp_path, data, TINY, "action-f_A", 1)
    assert_equal(weights(tiny[0]), weights(tmp_path))


@pytest.mark.large
def test_two_workers_end_alike(data, tmp_path):
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    workers = [
        start(
            tmp_path / str(index),
            data,
            *TINY,
            "--strategy=multi_worker",
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in range(2)
    ]
    for worker in workers:
        code, _, err = finish(worker)
        assert code == 0, err
    assert_equal(weights(tmp_path / "0"), weights(tmp_path / "1"))


@pytest.mark.large
def test_killed_with_the_compact_networks(data, tmp_path):
    compact = ["--baselines="]
    code, _, err = finish(start(tmp_path / "whole", data, *compact))
    assert code == 0, err
    killed_and_run_again(tmp_path / "killed", data, compact, "anonymize", 3)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"), above=100)


def assert_equal(expected, found, above=20):
    """Of two runs, bit for bit.  above: how many arrays there are more than, so that not nothing is compared."""
    assert found.keys() == expected.keys() and len(found) > above
    assert all(np.array_equal(value, expected[name]) for name, value in found.items())


def killed_and_run_again(workdir, data, networks, phase, *moments):
    for moment in moments:
        code, _, err = finish(
            start(workdir, data, *networks, code=SUICIDE.format(phase=phase, moment=moment))
        )
        assert code == -signal.SIGKILL, err
    code, _, err = finish(start(workdir, data, *networks))
    assert code == 0, err


def writers(workdir, phase):
    """The processes that were at a phase: TensorBoard's files are named after them."""
    return {path.name.split(".")[-3] for path in workdir.glob(f"logs/{phase}/events*")}


@pytest.mark.large
def test_an_attack_during_training_changes_no_weight(tiny, data, tmp_path):
    code, _, err = finish(start(tmp_path, data, *TINY, "--attack_every_epochs=1"))
    assert code == 0, err
    assert_equal(weights(tiny[0]), weights(tmp_path))
    (path,) = tmp_path.glob("logs/anonymize/events*")
    attacks = [
        event.step
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "attack/cmap_above_floor"
    ]
    assert attacks == [
        4,
        8,
        12,
    ]  # 24 clips, 8 of them held out, two batches of 2 a step: 4 steps an epoch


def test_sigterm_saves_and_exits(data, tmp_path):
    process = start(tmp_path, data, *TINY, "--epochs_anonymize=20000", "--checkpoint_every=1000000")
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("logs/anonymize/events*")) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert code == 143 and "Stopped by SIGTERM" in err
    assert list(tmp_path.glob("phases/anonymize/step-*.json"))
