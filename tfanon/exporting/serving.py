"""An exported SavedModel laid out for TensorFlow Serving; needs the extra `serving`.

    models.config                --model_config_file: one model, its newest version, no request logging
    batching.config              --batching_parameters_file, with --enable_batching
    monitoring.config            --monitoring_config_file: Prometheus
    <name>/<version>/            the SavedModel, with assets.extra/tf_serving_warmup_requests in it

A version appears under its number when it is whole: the server loads whatever has a number.
"""

import os
import pathlib
import re
import shutil

from tfanon.core import files
from tfanon.exporting import saved_model, serving_protos, warmup

BATCHING = """\
max_batch_size { value: 8 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 16 }
num_batch_threads { value: 2 }
"""
MONITORING = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def check(settings):
    """Raises ValueError where the settings do not allow a layout, before anything is made."""
    if "saved_model" not in settings.formats:
        raise ValueError("--serving_dir needs saved_model among --formats.")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", settings.serving_name):
        raise ValueError(
            f"--serving_name is letters, digits, '_', '.' and '-', not '{settings.serving_name}'."
        )
    serving_protos.messages()


def write(exported, folder, name="tfanon", root=""):
    """Add the SavedModel of the folder `exported` as a new version below `folder`; returns the version's path.

    name: of the model.  root: the path under which the server sees `folder`; empty: the folder's own.
    Raises ValueError where a warm-up request fails on the model it is for.
    """
    folder = pathlib.Path(folder).resolve()
    stage = folder / f".{name}.partial"  # no number: the server does not look at it
    shutil.rmtree(stage, ignore_errors=True)  # left by a process that was killed here
    try:
        shutil.copytree(pathlib.Path(exported) / saved_model.NAME, stage)
        warmup.write(stage, name)
        version = folder / name / str(_newest(folder / name) + 1)
        version.parent.mkdir(exist_ok=True)
        os.rename(stage, version)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    for file, text in (
        ("batching.config", BATCHING),
        ("monitoring.config", MONITORING),
        ("models.config", _models(name, pathlib.PurePosixPath(root or folder) / name)),
    ):
        with files.write_atomically(folder / file) as unfinished:
            unfinished.write_text(text)
    return version


def _newest(folder):
    """The largest version number in a folder; 0 where there is none."""
    return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=0)


def _models(name, path):
    from google.protobuf import text_format

    configs, _, _ = serving_protos.messages()
    model = configs.ModelConfig(name=name, base_path=str(path), model_platform="tensorflow")
    model.model_version_policy.latest.num_versions = 1
    return text_format.MessageToString(
        configs.ModelServerConfig(model_config_list=configs.ModelConfigList(config=[model]))
    )
