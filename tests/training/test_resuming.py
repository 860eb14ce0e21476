"""Runs that are stopped, killed, repeated or shared by two workers, in processes of their own."""

import contextlib
import json
import signal
import socket
import time

import numpy as np
import pytest
import tensorflow as tf
from helpers import TRAIN_CODE
from processes import TINY_NETWORK_FLAGS, finish_training, read_phase_weights, start_training

from tfanon import experiment
from tfanon.core import config
from tfanon.core.config import Config

# A run that kills itself when the n-th checkpoint file of a phase is about to get its name.
SELF_KILLING_CODE = (
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
    + TRAIN_CODE
)


@pytest.fixture(scope="module")
def tiny_run(data, tmp_path_factory):
    """An uninterrupted run of tiny networks, and what it printed."""
    workdir = tmp_path_factory.mktemp("runs") / "tiny"
    code, out, err = finish_training(start_training(workdir, data, *TINY_NETWORK_FLAGS))
    assert code == 0, err
    return workdir, out


def test_baselines_are_evaluated_beside_f_A(tiny_run):
    workdir, out = tiny_run
    results = json.loads((workdir / "results.json").read_text())
    assert [row["anonymizer"] for row in results["rows"]] == ["blur", "f_A"]
    for row in results["rows"]:
        images = row["images"]
        assert 0 <= row["action_top1"] <= 1 and 0 <= images["cmap"] <= 1
        assert images["cmap_above_floor"] == pytest.approx(images["cmap"] - images["cmap_chance"])
    assert (workdir / "results.txt").read_text().strip() in out


def test_finished_run_is_not_trained_again(tiny_run, data):
    workdir, out = tiny_run
    before = read_phase_weights(workdir)
    code, out_again, err = finish_training(start_training(workdir, data, *TINY_NETWORK_FLAGS))
    assert code == 0, err
    assert out_again == out and " step " not in err
    after = read_phase_weights(workdir)
    assert all(np.array_equal(value, before[name]) for name, value in after.items())


def test_other_flags_are_refused(tiny_run, data):
    code, _, err = finish_training(
        start_training(tiny_run[0], data, *TINY_NETWORK_FLAGS, "--penalty_bound=0.2")
    )
    assert code == 1
    assert "--penalty_bound=0.3 there, --penalty_bound=0.2 asked for" in err


def test_flags_are_pinned_once_something_was_computed(tmp_path):
    configs = [Config(workdir=str(tmp_path), penalty_bound=bound) for bound in (0.1, 0.2)]
    for options in configs:
        with experiment.lock_run_folder(options):
            pass  # a start that was refused for another reason
    (tmp_path / "phases/initialise").mkdir(parents=True)
    (tmp_path / "phases/initialise/step-00000010.weights.h5").touch()
    with pytest.raises(
        ValueError, match="--penalty_bound=0.2 there, --penalty_bound=0.1 asked for"
    ):
        with experiment.lock_run_folder(configs[0]):
            pass


def test_run_folder_with_former_flag_names_is_resumed(tmp_path):
    options = Config(workdir=str(tmp_path), lr_action=0.5, init_action_from_raw=True)
    config.write_flagfile(options, tmp_path / "run.flags")
    flags = (tmp_path / "run.flags").read_text()
    for former, name in config.list_former_names().items():
        flags = flags.replace(f"--{name}=", f"--{former}=").replace(f"--{name}\n", f"--{former}\n")
        flags = flags.replace(f"--no{name}\n", f"--no{former}\n")
    assert "--rate_action=0.5" in flags and "--warm_action\n" in flags
    assert "lr_action" not in flags and "init_action_from_raw" not in flags
    (tmp_path / "run.flags").write_text(flags)
    (tmp_path / "phases/initialise").mkdir(parents=True)
    (tmp_path / "phases/initialise/done.json").touch()
    with experiment.lock_run_folder(options):
        pass
    assert config.from_flagfile(tmp_path / "run.flags") == options


# The n-th file of the phase: the weights (3) or the manifest (4) of its second checkpoint.
@pytest.mark.parametrize("moments", [(4,), pytest.param((3, 4), marks=pytest.mark.large)])
def test_killed_run_resumes_to_bit_equal_weights(tiny_run, data, tmp_path, moments):
    # Two processes, compared with the one of the uninterrupted run.
    flags = [*TINY_NETWORK_FLAGS, "--processes=2"]
    kill_and_resume(tmp_path, data, flags, "anonymize", *moments)
    assert_bit_equal(read_phase_weights(tiny_run[0]), read_phase_weights(tmp_path))
    evaluating = list_processes(tmp_path, "action-blur")
    training = list_processes(tmp_path, "anonymize")
    assert evaluating.isdisjoint(training) and len(training) == len(moments) + 1


@pytest.mark.large
def test_run_killed_during_evaluation_resumes(tiny_run, data, tmp_path):
    kill_and_resume(tmp_path, data, TINY_NETWORK_FLAGS, "action-f_A", 1)
    assert_bit_equal(read_phase_weights(tiny_run[0]), read_phase_weights(tmp_path))


@pytest.mark.large
def test_two_workers_end_with_equal_weights(data, tmp_path):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]
    workers = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        cluster = json.dumps({"cluster": {"worker": addresses}, "task": task})
        workers.append(
            start_training(
                tmp_path / str(index),
                data,
                *TINY_NETWORK_FLAGS,
                "--strategy=multi_worker",
                TF_CONFIG=cluster,
            )
        )
    for worker in workers:
        code, _, err = finish_training(worker)
        assert code == 0, err
    assert_bit_equal(read_phase_weights(tmp_path / "0"), read_phase_weights(tmp_path / "1"))


@pytest.mark.large
def test_killed_run_of_compact_networks_resumes(data, tmp_path):
    flags = ["--baselines="]
    code, _, err = finish_training(start_training(tmp_path / "whole", data, *flags))
    assert code == 0, err
    kill_and_resume(tmp_path / "killed", data, flags, "anonymize", 3)
    expected = read_phase_weights(tmp_path / "whole")
    assert_bit_equal(expected, read_phase_weights(tmp_path / "killed"), min_arrays=101)


def assert_bit_equal(expected, actual, min_arrays=21):
    """Compare the weights of two runs, of which there must be enough for the test to mean much."""
    assert actual.keys() == expected.keys() and len(actual) >= min_arrays
    assert all(np.array_equal(value, expected[name]) for name, value in actual.items())


def kill_and_resume(workdir, data, flags, phase, *moments):
    """Start a run, kill it at each moment, and let it end."""
    for moment in moments:
        code = SELF_KILLING_CODE.format(phase=phase, moment=moment)
        status, _, err = finish_training(start_training(workdir, data, *flags, code=code))
        assert status == -signal.SIGKILL, err
    status, _, err = finish_training(start_training(workdir, data, *flags))
    assert status == 0, err


def list_processes(workdir, phase):
    """The processes that worked on a phase: TensorBoard's files are named after them."""
    return {path.name.split(".")[-3] for path in workdir.glob(f"logs/{phase}/events*")}


@pytest.mark.large
def test_attack_during_training_changes_no_weight(tiny_run, data, tmp_path):
    code, _, err = finish_training(
        start_training(tmp_path, data, *TINY_NETWORK_FLAGS, "--attack_every_epochs=1")
    )
    assert code == 0, err
    assert_bit_equal(read_phase_weights(tiny_run[0]), read_phase_weights(tmp_path))
    (path,) = tmp_path.glob("logs/anonymize/events*")
    attack_steps = []
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        tags = [value.tag for value in event.summary.value]
        attack_steps += [event.step] * tags.count("attack/cmap_above_floor")
    # 24 clips, 8 of them held out, two batches of 2 a step: 4 steps an epoch.
    assert attack_steps == [4, 8, 12]


def test_sigterm_saves_and_exits(data, tmp_path):
    process = start_training(
        tmp_path,
        data,
        *TINY_NETWORK_FLAGS,
        "--epochs_anonymize=20000",
        "--checkpoint_every=1000000",
    )
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("logs/anonymize/events*")) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    code, _, err = finish_training(process)
    assert code == 143 and "Stopped by SIGTERM" in err
    assert list(tmp_path.glob("phases/anonymize/step-*.json"))
