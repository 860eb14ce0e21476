"""How long a phase trains and where its files go."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class PhasePlan:
    """The schedule of one phase and the folders it writes to.

    Attributes:
        title: Label of the progress bar.
        folder: Folder of the checkpoints.
        log_folder: Folder of the TensorBoard curves.
        steps_per_epoch: Steps of one pass over the data.
        epochs: Number of passes.
        checkpoint_every: Steps between two checkpoints.
        log_every: Steps between two points of a TensorBoard curve.
    """

    title: str
    folder: pathlib.Path
    log_folder: pathlib.Path
    steps_per_epoch: int
    epochs: int
    checkpoint_every: int
    log_every: int

    @property
    def steps(self) -> int:
        """Steps of the whole phase."""
        return self.steps_per_epoch * self.epochs
