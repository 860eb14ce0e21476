"""Runs in processes of their own, as a user starts, stops, kills and repeats them."""

import os
import pathlib
import subprocess
import sys

import h5py
import pytest
from helpers import TRAIN

from tfanon.data.sources import synthetic

ROOT = pathlib.Path(__file__).parent.parent
SHORT = [
    "--flagfile=configs/smoke.flags",
    "--deterministic",
    "--epochs_anonymize=3",
    "--batch_clips=2",
    "--batch_pairs=2",
    "--checkpoint_every=2",
    "--log_every=2",
    "--validation_split=0.2",
]
TINY = ["--anonymizer=tiny", "--action_network=tiny", "--privacy_network=tiny", "--baselines=blur"]

# As with --processes=2 on two cores: sums round by how many threads share them. And two tests run at once.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic.write(
        folder / "synthetic",
        synthetic.Size(
            train_people=3,
            test_people=1,
            train_images=24,
            test_images=8,
            shortest=20,
            longest=24,
            side=48,
        ),
    )
    return folder


def start(workdir, data, *arguments, code=TRAIN, **environment):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            *SHORT,
            f"--workdir={workdir}",
            f"--data_dir={data}",
            *arguments,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **ONE_THREAD, **environment},
    )


def finish(process):
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def weights(workdir):
    """name -> array of every network that the finished phases left."""
    found = {}
    for path in sorted(pathlib.Path(workdir).glob("phases/*/network.weights.h5")):
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: (
                    found.__setitem__(f"{path.parent.name}/{name}", item[()])
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    return found
