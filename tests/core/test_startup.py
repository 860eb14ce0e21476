"""TensorFlow's start-up noise is hidden, everything else is shown."""

import os
import subprocess
import sys

import pytest

from tfanon.core import startup

EXPORT = """
import sys
import tfanon
from absl import logging
logging.set_verbosity(logging.INFO)
import tensorflow as tf
module = tf.Module()
module.f = tf.function(lambda x: x + 1, input_signature=[tf.TensorSpec([2])])
tf.saved_model.save(module, sys.argv[1])
tf.get_logger().warning("a warning of TensorFlow")
logging.info("a line of ours")
"""
NOISE = (
    "InitializeLog",
    "oneDNN",
    "cuda",
    "rebuild",
    "Assets written",
    "fingerprint",
    "INFO:tensorf",
)


def run(code, *arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPP")}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_start_up_noise_is_hidden_and_warnings_are_shown(tmp_path):
    shown = run(EXPORT, str(tmp_path / "model"))
    assert [word for word in NOISE if word in shown] == []
    assert "a warning of TensorFlow" in shown and "a line of ours" in shown


def test_verbosity_shows_everything(tmp_path):
    shown = run(EXPORT, str(tmp_path / "model"), "--verbosity=1")
    assert "InitializeLog" in shown and "fingerprint" in shown


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ([], False),
        (["train", "--verbosity=0"], False),
        (["train", "--verbosity=-1"], False),
        (["train", "--verbosity=1"], True),
        (["train", "-v=2"], True),
        (["train", "--verbosity"], False),
    ],
)
def test_only_a_positive_verbosity_is_verbose(arguments, expected):
    assert startup.is_verbose(arguments) == expected


def test_lines_that_are_not_noise_follow_the_import(capfd):
    with startup.hide_import_noise():
        os.write(2, b"W0000 oneDNN custom operations are on.\nE0000 the disk is full\n")
    assert capfd.readouterr().err == "E0000 the disk is full\n"


def test_lines_are_shown_if_the_import_fails(capfd):
    with pytest.raises(ImportError), startup.hide_import_noise():
        os.write(2, b"libtensorflow.so: no such symbol\n")
        raise ImportError
    assert "no such symbol" in capfd.readouterr().err


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    code = (
        "import os\nfrom tfanon.core import startup\nstartup.open_standard_streams()\n"
        f"file = open({str(tmp_path / 'a')!r}, 'w')\nassert file.fileno() > 2\n"
        "os.write(2, b'an error')\nfile.write('mine')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, preexec_fn=lambda: os.closerange(0, 3)
    )
    assert done.returncode == 0 and (tmp_path / "a").read_text() == "mine"
