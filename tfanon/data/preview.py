"""The first training batch as rows of pictures, augmented exactly as the networks see it."""

import numpy as np

from tfanon.core.config import Config
from tfanon.data import pipeline
from tfanon.data.splits import ExperimentData

MAX_CLIPS, MAX_PAIRS = 6, 6  # rows of each kind


def make_preview_rows(data: ExperimentData, config: Config) -> dict[str, np.ndarray]:
    """Return the clips and pairs of the first step of Algorithm 1; they depend on --seed.

    Args:
        data: The data sets of the experiment.
        config: Its settings.

    Returns:
        {name: frames ``[n, H, W, 3]`` float32 in [0, 1]}: the T frames of a clip, or the two views
        of an image.
    """
    steps = pipeline.make_anonymization_dataset(data.clips.train, data.images.train, config, 0, 1)
    ((batch, _),) = steps
    rows: dict[str, np.ndarray] = {}
    # strict=False: only the clips are cut to MAX_CLIPS.
    labelled_clips = zip(batch["clips"][:MAX_CLIPS], batch["labels"], strict=False)
    for number, (clip, label) in enumerate(labelled_clips, 1):
        # Numbered, because two clips of one class would otherwise share a key.
        rows[f"{number} {data.clips.train.classes[label]}"] = clip.numpy()
    for number, pair in enumerate(batch["pairs"][:MAX_PAIRS], 1):
        rows[f"pair {number}"] = pair.numpy()
    return rows
