"""Keras computes as tfanon sets it, whatever the home folder or the calling program say."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import pytest

from tfanon.core import keras_setup
from tfanon.inference import loaders

ROOT = pathlib.Path(__file__).parents[2]
AS_SET = ["tensorflow", "float32", 1e-7, "channels_last"]
# Keras's own reading of its settings, without the rest of Keras.
READ = """
import json, os, sys
import tfanon
assert "keras" not in sys.modules and "tensorflow" not in sys.modules and "numpy" not in sys.modules
home = os.environ.get("KERAS_HOME")
from keras.src.backend import config
assert os.environ.get("KERAS_HOME") == home and os.environ["KERAS_BACKEND"] == "tensorflow"
print(json.dumps([[config.backend(), config.floatx(), config.epsilon(), config.image_data_format()],
                  [config.max_epochs(), config.max_steps_per_epoch(), config.is_nnx_enabled()],
                   config.keras_home()]))
"""
TRAINED = """
import tfanon
import keras
import numpy as np
from tfanon.core import registry
keras.utils.set_random_seed(0)
f_A = registry.load_module("anonymizers", "unetpp").build(width=0.125, output="sigmoid")
f_T = registry.load_module("actions", "small3d").build(classes=3)
x = np.random.default_rng(0).random((2, 4, 32, 32, 3), np.float32)
f_T.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
f_T.fit(x, np.array([0, 2]), epochs=2, verbose=0)
print(repr(np.asarray(f_T(x)).astype(float).sum()), repr(np.asarray(f_A(x[0])).astype(float).sum()))
"""


def run(code, home, *path, **environment):
    """What a script prints where KERAS_HOME is `home`, and `environment` says the rest."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
    found = os.pathsep.join(map(str, [*path, ROOT]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        text=True,
        capture_output=True,
        cwd=ROOT,
        check=False,
        env={**kept, "KERAS_HOME": str(home), "PYTHONPATH": found, **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def keras_reader(tmp_path_factory):
    """A package keras that does nothing but read its settings, as the installed one does."""
    folder = tmp_path_factory.mktemp("reader")
    installed = pathlib.Path(keras.__file__).parent
    (folder / "keras/src/backend/common").mkdir(parents=True)
    for package in ("keras", "keras/src", "keras/src/backend", "keras/src/backend/common"):
        (folder / package / "__init__.py").touch()
    (folder / "keras/__init__.py").write_text("from keras.src.backend import config\n")
    (folder / "keras/src/api_export.py").write_text(
        "def keras_export(path):\n    return lambda found: found\n"
    )
    for name in ("src/backend/config.py", "src/backend/common/global_state.py"):
        shutil.copy(installed / name, folder / "keras" / name)
    return folder


def test_this_process_runs_under_a_foreign_home():
    assert os.environ["KERAS_HOME"].endswith("foreign_home")
    config = keras.config
    assert [
        config.backend(),
        config.floatx(),
        config.epsilon(),
        config.image_data_format(),
    ] == AS_SET
    assert config.dtype_policy().name == "float32" and config.max_epochs() is None


@pytest.mark.parametrize(
    "text",
    [
        '{"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1, '
        '"backend": "jax"}',
        '{"floatx": "bfloat16"}',  # which Keras itself refuses
        '{"backend": "nonsense", "nnx_enabled": true}',
        "{broken",
        "[1]",
        None,
    ],
    ids=["other", "bfloat16", "nonsense", "broken", "list", "folder"],
)
def test_the_home_folder_decides_nothing(keras_reader, tmp_path, text):
    if text is None:
        (tmp_path / "keras.json").mkdir()
    else:
        (tmp_path / "keras.json").write_text(text)
    read, limits, home = json.loads(
        run(
            READ,
            tmp_path,
            keras_reader,
            KERAS_BACKEND="torch",
            KERAS_MAX_EPOCHS="1",
            KERAS_MAX_STEPS_PER_EPOCH="x",
            KERAS_NNX_ENABLED="true",
        )
    )
    assert read == AS_SET and limits == [None, None, False]
    assert home == str(tmp_path)  # downloads stay there


def test_nothing_is_written_to_the_home_folder(keras_reader, tmp_path):
    assert json.loads(run(READ, tmp_path, keras_reader))[0] == AS_SET
    assert not list(tmp_path.iterdir())


def test_a_legacy_keras_that_is_not_installed_is_not_asked_for(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    keras_setup.prefer_installed_keras()
    assert os.environ["TF_USE_LEGACY_KERAS"] == "0"
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "found")
    keras_setup.prefer_installed_keras()
    assert os.environ["TF_USE_LEGACY_KERAS"] == "1"


def test_another_backend_is_one_line(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(
        ImportError,
        match="runs on 'jax'.*Import tfanon before keras, or set KERAS_BACKEND=tensorflow",
    ):
        keras_setup.apply_keras_settings()
    with pytest.raises(ImportError, match="runs on 'jax'"):
        loaders.load_network(mode="blur")


@pytest.fixture
def program():
    """A program that configured Keras for itself before."""
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(0.5)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield keras.config
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")


def test_what_can_be_set_is_set(program):
    keras_setup.apply_keras_settings()
    assert [
        program.backend(),
        program.floatx(),
        program.epsilon(),
        program.image_data_format(),
    ] == AS_SET
    assert program.dtype_policy().name == "float32"
    program.set_dtype_policy("mixed_bfloat16")  # --precision
    keras_setup.apply_keras_settings()
    assert program.dtype_policy().name == "mixed_bfloat16"


def test_a_program_keeps_its_own_settings(program):
    with keras_setup.keras_settings():
        assert program.floatx() == "float32" and program.dtype_policy().name == "float32"
    assert [program.floatx(), program.epsilon(), program.image_data_format()] == [
        "float16",
        0.5,
        "channels_first",
    ]
    assert program.dtype_policy().name == "mixed_bfloat16"


def test_an_anonymizer_computes_the_same_within_any_program(program):
    import numpy as np

    frames = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
    answer = loaders.load_network(mode="downsample")(frames)
    assert program.image_data_format() == "channels_first"
    with keras_setup.keras_settings():
        assert np.array_equal(answer, loaders.load_network(mode="downsample")(frames))


@pytest.mark.large
@pytest.mark.parametrize(
    "text, environment",
    [
        ('{"image_data_format": "channels_first", "floatx": "float16", "backend": "jax"}', {}),
        ('{"floatx": "bfloat16"}', {"KERAS_BACKEND": "torch", "TF_USE_LEGACY_KERAS": "1"}),
        ("{broken", {"KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1"}),
    ],
)
def test_training_computes_the_same_under_any_home(tmp_path, text, environment):
    expected = run(TRAINED, tmp_path)
    (tmp_path / "keras.json").write_text(text)
    assert run(TRAINED, tmp_path, **environment) == expected
