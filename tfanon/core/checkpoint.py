"""Save, verify, resume: a file is either complete and known by its SHA-256, or it does not count."""

import json
import pathlib

from absl import logging
from keras.ops import convert_to_numpy

from tfanon.core import files


def write_json(path, value):
    """Write a JSON file that is whole or not there."""
    with files.write_atomically(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def save_weights(model, path):
    """Every variable of a built Keras model in `path`, which ends in `.weights.h5`; returns the SHA-256."""
    with files.write_atomically(path) as unfinished:
        model.save_weights(str(unfinished))
    return files.compute_sha256(path)


def load_weights(model, path, digest):
    """Fill a built Keras model.  Raises ValueError as verify does, and where the file is of another network."""
    verify_digest(path, digest)
    try:
        model.load_weights(str(path))
    except (
        ValueError
    ) as problem:  # Keras lists every layer; one line is enough to know that the code has changed
        raise ValueError(
            f"{path} holds another network than {model.name}: {str(problem).strip().splitlines()[0]}"
        ) from None


def verify_digest(path, digest):
    """Raises ValueError where the file is missing or is not the one of the digest."""
    if not pathlib.Path(path).exists():
        raise ValueError(f"{path} is missing.")
    found = files.compute_sha256(path)
    if found != digest:
        raise ValueError(
            f"{path} was altered: its SHA-256 is {found[:12]}..., recorded is {digest[:12]}..."
        )


class CheckpointManager:
    """The last two checkpoints of one phase in a folder: weights, and a JSON written after them that vouches for them.

    A checkpoint holds the networks with their batch statistics, the optimizers and the states of their random
    generators. Order and augmentation are functions of (seed, step), so the step is all of the data's state.
    """

    def __init__(self, folder, keep=2):
        self.folder, self.keep = pathlib.Path(folder), keep

    def save(self, model, step, extra=None):
        """Write checkpoint `step`.  extra: whatever JSON holds, given back by restore; a "file" it names, with
        its "sha256", is kept with it.
        """
        weights = self.folder / f"step-{step:09d}.weights.h5"
        digest = save_weights(model, weights)
        states = [convert_to_numpy(state).tolist() for state in _seed_generator_states(model)]
        write_json(
            self._manifest_path(step),
            {"step": step, "sha256": digest, "random": states, "extra": extra or {}},
        )
        self.clear(keep=self.keep)

    def restore(self, model):
        """Fill `model` from the newest whole checkpoint; returns (step, extra), (0, {}) where there is none."""
        for step in reversed(self._steps()):
            try:
                manifest = json.loads(self._manifest_path(step).read_text())
                if "file" in manifest["extra"]:
                    verify_digest(
                        self.folder / manifest["extra"]["file"], manifest["extra"]["sha256"]
                    )
                load_weights(model, self.folder / f"step-{step:09d}.weights.h5", manifest["sha256"])
                for state, value in zip(
                    _seed_generator_states(model), manifest["random"], strict=True
                ):
                    state.assign(value)
            except (ValueError, KeyError) as problem:
                logging.warning(
                    "Checkpoint %d of %s is unusable, the one before is taken: %s",
                    step,
                    self.folder,
                    problem,
                )
                continue
            return step, manifest["extra"]
        return 0, {}

    def clear(self, keep=0):
        """Remove all but the newest checkpoints and the files they name, and whatever a kill left unfinished."""
        kept = self._steps()[-keep:] if keep else []
        names = {f"step-{step:09d}" for step in kept} | {
            self._referenced_file_stem(step) for step in kept
        }
        for pattern in ("step-*", "best-*", ".unfinished-*"):
            for path in self.folder.glob(pattern):
                if path.name.split(".")[0] not in names:
                    path.unlink()

    def _referenced_file_stem(self, step):
        try:
            return (
                json.loads(self._manifest_path(step).read_text())["extra"]
                .get("file", "")
                .split(".")[0]
            )
        except (ValueError, KeyError):  # an altered manifest names nothing; restore says so
            return ""

    def _manifest_path(self, step):
        return self.folder / f"step-{step:09d}.json"

    def _steps(self):
        return sorted(int(path.stem.split("-")[1]) for path in self.folder.glob("step-*.json"))


def _seed_generator_states(model):
    """The variables of dropout's generators, which Keras leaves out of a weights file."""
    return [
        variable for variable in model.variables if variable.path.endswith("seed_generator_state")
    ]
