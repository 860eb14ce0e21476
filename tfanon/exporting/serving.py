"""A folder for TensorFlow Serving, made from an exported SavedModel; needs the extra `serving`.

    models.config         --model_config_file: one model, its newest version, no request logging
    batching.config       --batching_parameters_file, with --enable_batching
    monitoring.config     --monitoring_config_file: Prometheus
    <name>/<version>/     the SavedModel, with assets.extra/tf_serving_warmup_requests in it

A version gets its number only when it is complete: the server loads every folder with a number.
"""

import os
import pathlib
import re
import shutil

from tfanon.core import files
from tfanon.exporting import saved_model, serving_protos, warmup
from tfanon.exporting.options import ExportOptions

BATCHING_CONFIG = """\
max_batch_size { value: 8 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 16 }
num_batch_threads { value: 2 }
"""
MONITORING_CONFIG = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def check_serving_options(options: ExportOptions) -> None:
    """Refuse options under which no serving folder can be made, before anything is exported.

    Raises:
        ValueError: No SavedModel is exported, the model's name is invalid, or the extra is not
            installed.
    """
    if "saved_model" not in options.formats:
        raise ValueError("--serving_dir needs saved_model among --formats.")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", options.serving_name):
        raise ValueError(
            f"--serving_name is letters, digits, '_', '.' and '-', not '{options.serving_name}'."
        )
    # Fails before anything is exported if the extra is missing.
    serving_protos.import_messages()


def add_serving_version(
    exported: str | os.PathLike, folder: str | os.PathLike, name: str = "tfanon", root: str = ""
) -> pathlib.Path:
    """Add an exported SavedModel to a serving folder as its newest version.

    Args:
        exported: Folder of the export.
        folder: Serving folder; made if it does not exist.
        name: Name of the model.
        root: Path under which the server sees `folder`; empty: the same path.

    Returns:
        Folder of the version.

    Raises:
        ValueError: A warm-up request fails.
    """
    folder = pathlib.Path(folder).resolve()
    stage = folder / f".{name}.partial"  # not a number, so the server ignores it
    shutil.rmtree(stage, ignore_errors=True)  # left by a process that was killed
    try:
        shutil.copytree(pathlib.Path(exported) / saved_model.SAVED_MODEL_FOLDER, stage)
        # Before the version has its number: each request is tried on the model.
        warmup.write_warmup_requests(stage, name)
        # TensorFlow Serving takes the largest number for the newest version.
        version = folder / name / str(_find_newest_version(folder / name) + 1)
        version.parent.mkdir(exist_ok=True)
        os.rename(stage, version)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    for file_name, text in (
        ("batching.config", BATCHING_CONFIG),
        ("monitoring.config", MONITORING_CONFIG),
        (
            "models.config",
            _format_models_config(name, pathlib.PurePosixPath(root or folder) / name),
        ),
    ):
        files.write_text_atomically(folder / file_name, text)
    return version


def _find_newest_version(folder: pathlib.Path) -> int:
    """Return the largest version number in a folder; 0 without any."""
    # Unfinished folders have no number.
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdigit()]
    return max(numbers, default=0)


def _format_models_config(name: str, path: pathlib.PurePosixPath) -> str:
    """Return models.config for one model that serves its newest version."""
    from google.protobuf import text_format

    configs, _, _ = serving_protos.import_messages()
    model = configs.ModelConfig(name=name, base_path=str(path), model_platform="tensorflow")
    # No logging_config: a log of requests would hold raw frames.
    model.model_version_policy.latest.num_versions = 1
    models = configs.ModelConfigList(config=[model])
    return text_format.MessageToString(configs.ModelServerConfig(model_config_list=models))
