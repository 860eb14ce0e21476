"""The first training batch as rows of pictures: clips and pairs augmented exactly as the networks see them."""

from tfanon.data import pipeline

CLIPS, PAIRS = 6, 6  # rows at most


def rows(tables, config):
    """{name: frames [n, H, W, 3] float32 in [0, 1]}: a clip's T frames, or the two views of an image, per row.

    tables: of data/tables.py.  They are the first step of Algorithm 1, so --seed decides what is shown.
    """
    ((batch, _),) = pipeline.anonymization(tables.clips.train, tables.images.train, config, 0, 1)
    classes = tables.clips.train.classes
    clips = {
        f"{number} {classes[label]}": clip.numpy()
        for number, (clip, label) in enumerate(zip(batch["clips"][:CLIPS], batch["labels"]), 1)
    }
    return clips | {
        f"pair {number}": pair.numpy() for number, pair in enumerate(batch["pairs"][:PAIRS], 1)
    }
