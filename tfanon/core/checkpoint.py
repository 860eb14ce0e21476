"""Save and restore weights and checkpoints; only complete files with the recorded SHA-256 count."""

import json
import os
import pathlib
from typing import Any

import keras
from absl import logging
from keras.ops import convert_to_numpy

from tfanon.core import files


def save_weights(model: keras.Model, path: str | os.PathLike[str]) -> str:
    """Save every variable of a built Keras model.

    Args:
        model: The model.
        path: The file, which must end in `.weights.h5`.

    Returns:
        SHA-256 of the file.
    """
    with files.write_atomically(path) as unfinished:
        model.save_weights(str(unfinished))
    return files.compute_sha256(path)


def load_weights(model: keras.Model, path: str | os.PathLike[str], digest: str) -> None:
    """Load every variable of a built Keras model.

    Args:
        model: The model.
        path: A file of `save_weights`.
        digest: SHA-256 that was recorded for it.

    Raises:
        ValueError: The file is missing, was altered or belongs to a different network.
    """
    # First: for a truncated file h5py raises an OSError, which callers do not expect.
    verify_digest(path, digest)
    try:
        model.load_weights(str(path))
    except ValueError as error:
        # Keras lists every layer; its first line is enough to see that the network has changed.
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{path} belongs to a different network than {model.name}: {reason}"
        ) from None


def verify_digest(path: str | os.PathLike[str], digest: str) -> None:
    """Check that a file is the one that was recorded.

    Args:
        path: The file.
        digest: SHA-256 that was recorded for it.

    Raises:
        ValueError: The file is missing or has another SHA-256.
    """
    if not pathlib.Path(path).exists():
        raise ValueError(f"{path} is missing.")
    actual = files.compute_sha256(path)
    if actual != digest:
        raise ValueError(
            f"{path} was altered: its SHA-256 is {actual[:12]}..., recorded is {digest[:12]}..."
        )


class CheckpointManager:
    """The latest checkpoints of one phase in a folder.

    A checkpoint is a weights file and a JSON file, written after it, with its SHA-256. It holds the
    networks with their batch statistics, the optimizers and the states of their random generators.
    The order of the data and its augmentation are functions of (seed, step), so the step is all the
    state that the data has.

    Args:
        folder: Folder of the checkpoints.
        keep: How many checkpoints are kept.
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 2) -> None:
        self.folder, self.keep = pathlib.Path(folder), keep

    def save(self, model: keras.Model, step: int, extra: dict[str, Any] | None = None) -> None:
        """Write a checkpoint and remove the oldest.

        Args:
            model: The model.
            step: Number of train steps done.
            extra: Anything that JSON can hold, returned by `restore`. A file of the folder that it
                names under "file", with its "sha256", is kept as long as the checkpoint.
        """
        digest = save_weights(model, self._weights_path(step))
        # A weights file lacks them; a resumed run would draw the dropout masks of step 0 again.
        states = [convert_to_numpy(state).tolist() for state in _seed_generator_states(model)]
        manifest = {"step": step, "sha256": digest, "random": states, "extra": extra or {}}
        # Last: weights without a manifest, as a crash between the two leaves them, do not count.
        files.write_json_atomically(self._manifest_path(step), manifest)
        # Only now: until the new checkpoint is complete, the old ones are all that there is.
        self.clear(keep=self.keep)

    def restore(self, model: keras.Model) -> tuple[int, dict[str, Any]]:
        """Load the newest checkpoint that is complete.

        Args:
            model: The model to fill.

        Returns:
            (step, extra) of the checkpoint; (0, {}) without one.
        """
        for step in reversed(self._saved_steps()):
            try:
                extra = self._restore_step(model, step)
            # JSON that is damaged, or lacks an entry; a file that is missing or altered.
            except (ValueError, KeyError) as error:
                logging.warning(
                    "Checkpoint %d in %s cannot be used; trying the one before it: %s",
                    step,
                    self.folder,
                    error,
                )
                continue
            return step, extra
        return 0, {}

    def _restore_step(self, model: keras.Model, step: int) -> dict[str, Any]:
        """Load one checkpoint and return its `extra`; ValueError or KeyError if it is damaged."""
        manifest = json.loads(self._manifest_path(step).read_text())
        extra = manifest["extra"]
        # Before the model is changed: it stays as it is if no checkpoint can be used.
        if "file" in extra:
            verify_digest(self.folder / extra["file"], extra["sha256"])
        load_weights(model, self._weights_path(step), manifest["sha256"])
        states = _seed_generator_states(model)
        for state, value in zip(states, manifest["random"], strict=True):
            state.assign(value)
        return extra

    def clear(self, keep: int = 0) -> None:
        """Remove old checkpoints and files that a crash left unfinished.

        Args:
            keep: How many of the newest checkpoints stay, with the files that they name.
        """
        kept_steps = self._saved_steps()[-keep:] if keep else []
        kept_stems = set()
        for step in kept_steps:
            kept_stems |= {f"step-{step:09d}", self._referenced_file_stem(step)}
        # best-*: weights of the best epoch so far, which `extra` of a checkpoint names.
        for pattern in ("step-*", "best-*", ".unfinished-*"):
            for path in self.folder.glob(pattern):
                if path.name.split(".")[0] not in kept_stems:
                    path.unlink()

    def _referenced_file_stem(self, step: int) -> str:
        """Name, without its endings, of the file that a checkpoint's `extra` names, or ""."""
        try:
            manifest = json.loads(self._manifest_path(step).read_text())
            return manifest["extra"].get("file", "").split(".")[0]
        except (ValueError, KeyError):
            # A damaged manifest names no file; `restore` reports it.
            return ""

    def _manifest_path(self, step: int) -> pathlib.Path:
        return self.folder / f"step-{step:09d}.json"

    def _weights_path(self, step: int) -> pathlib.Path:
        return self.folder / f"step-{step:09d}.weights.h5"

    def _saved_steps(self) -> list[int]:
        """Steps of all checkpoints in the folder, in ascending order."""
        return sorted(int(path.stem.split("-")[1]) for path in self.folder.glob("step-*.json"))


def _seed_generator_states(model: keras.Model) -> list[Any]:
    """Variables of dropout's random generators, which Keras leaves out of a weights file."""
    return [
        variable for variable in model.variables if variable.path.endswith("seed_generator_state")
    ]
