"""Training in processes of their own, as a user starts, stops, kills and repeats it."""

import os
import pathlib
import subprocess
import sys

import h5py
import numpy as np
from helpers import TRAIN_CODE

ROOT = pathlib.Path(__file__).parent.parent
SHORT_RUN_FLAGS = [
    "--flagfile=configs/smoke.flags",
    "--deterministic",
    "--epochs_anonymize=3",
    "--batch_clips=2",
    "--batch_pairs=2",
    "--checkpoint_every=2",
    "--log_every=2",
    "--validation_split=0.2",
]
TINY_NETWORK_FLAGS = [
    "--anonymizer=tiny",
    "--action_network=tiny",
    "--privacy_network=tiny",
    "--baselines=blur",
]
# As with --processes=2 on two cores: rounding depends on the number of threads. Two tests may run
# at once, too.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1"}


def start_training(
    workdir: pathlib.Path,
    data: pathlib.Path,
    *flags: str,
    code: str = TRAIN_CODE,
    **environment: str,
) -> subprocess.Popen[str]:
    """Start tfanon.train, or other code, in a process of its own."""
    words = [*SHORT_RUN_FLAGS, f"--workdir={workdir}", f"--data_dir={data}", *flags]
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD, **environment},
    )


def finish_training(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; return its exit status, standard output and standard error."""
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def read_phase_weights(workdir: pathlib.Path) -> dict[str, np.ndarray]:
    """Read every array of every network that finished phases left, by phase and path."""
    arrays = {}
    for path in sorted(workdir.glob("phases/*/network.weights.h5")):
        phase = path.parent.name

        def collect(name: str, item: h5py.Group | h5py.Dataset, phase: str = phase) -> None:
            if isinstance(item, h5py.Dataset):
                arrays[f"{phase}/{name}"] = item[()]

        with h5py.File(path) as file:
            file.visititems(collect)
    return arrays
