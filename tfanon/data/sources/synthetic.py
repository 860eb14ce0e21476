"""The embedded data set: figures that move (X_action) and pictures of such figures (X_privacy), as files on disk.

    <folder>/clips/<Action>/v_<Action>_g01_c01.avi or .mp4     g: who; everybody performs every action
    <folder>/clips/labels.csv                                  path, action, split and the private attributes
    <folder>/clips/{classInd,trainlist01,testlist01}.txt       the split again, as UCF101 writes it
    <folder>/images/00001.jpg, images/labels.csv               path, split and the private attributes
    <folder>/dataset.json                                      written last: the folder is whole

Every file follows from the data set's seed and its own number, so that an interrupted writing, or two at once, ends in
the same folder. People and backgrounds are never in both splits. Since everybody performs every action, neither can
stand for an action. See motions.py for why one frame does not tell the action, figures.py for the attributes.
"""

import csv
import dataclasses
import itertools
import json
import pathlib

import numpy as np
import tqdm
from absl import logging

from tfanon.core import files
from tfanon.data.batch import Examples
from tfanon.data.synthetic import poses, renderer
from tfanon.media import array_writer

KINDS = ("clips", "images", "private_clips")
VERSION = 3  # of what is drawn and coded; a folder of another version is refused
SEED = 20250414  # apart from config.seed: all runs see the same data
CODECS = ((".mp4", "libx264"), (".avi", "mpeg4"))
PEOPLE, MOTION, IMAGES = 0, 1, 2  # random streams: who is in the clips, what they do, the images


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is written. Each person performs each action once; lengths in frames, inclusive; side in pixels."""

    train_people: int = 40
    test_people: int = 15
    train_images: int = 1200
    test_images: int = 400
    shortest: int = 44
    longest: int = 60
    side: int = 96


def load(kind, folder, config=None, size=None):
    """The data set in `folder` by split, written first where it is not there: {"train": Examples, "test": Examples}.

    kind: "clips" with actions, "images" with private attributes, "private_clips": the clips with their attributes.
    config: unused, the same for all runs.  size: a Size the folder must have; None takes what is there, else Size().
    Raises ValueError for another kind and for a folder of another version, seed or size.
    """
    if kind not in KINDS:
        raise ValueError(f"The synthetic data set has no '{kind}'; it has {', '.join(KINDS)}.")
    write(folder, size)
    part = pathlib.Path(folder) / ("images" if kind == "images" else "clips")
    with open(part / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    make = _with_actions if kind == "clips" else _with_attributes
    return {
        split: make(part, [row for row in rows if row["split"] == split])
        for split in ("train", "test")
    }


def _with_actions(part, rows):
    names = list(poses.ACTIONS)
    labels = np.array([names.index(row["action"]) for row in rows], np.int32)
    return Examples(_paths(part, rows), labels=labels, classes=tuple(names), groups=_people(rows))


def _with_attributes(part, rows):
    values = [[float(row[name]) for name in renderer.NAMES] for row in rows]
    attributes = np.array(values, np.float32).reshape(-1, len(renderer.NAMES))
    return Examples(
        _paths(part, rows),
        attributes=attributes,
        attribute_names=renderer.NAMES,
        groups=_people(rows),
    )


def _people(rows):
    """Who is in each clip; nobody is in two images."""
    return tuple(row["path"].split("_")[-2] if "_" in row["path"] else row["path"] for row in rows)


def _paths(part, rows):
    return tuple(str(part / row["path"]) for row in rows)


def write(folder, size=None):
    """Write the data set unless `folder` holds it; an interrupted writing starts again over its own files."""
    folder = pathlib.Path(folder)
    if (folder / "dataset.json").exists():
        return _check(folder, size)
    size = size or Size()
    clips, images = _clip_rows(size), _image_rows(size)
    logging.info(
        "Writing the synthetic data set to %s: %d clips, %d images; once.",
        folder,
        len(clips),
        len(images),
    )
    for index, row in enumerate(tqdm.tqdm(clips, "synthetic clips", unit="clip", disable=None)):
        _write_clip(folder / "clips" / row["path"], row, index, size)
    for index, row in enumerate(tqdm.tqdm(images, "synthetic images", unit="image", disable=None)):
        _write_image(folder / "images" / row["path"], index, size)
    _write_table(folder / "clips" / "labels.csv", clips)
    _write_table(folder / "images" / "labels.csv", images)
    _write_split_lists(folder / "clips", clips)
    _write_text(folder / "dataset.json", json.dumps(_settings(size), indent=2) + "\n")


def _settings(size):
    return {"version": VERSION, "seed": SEED, "size": dataclasses.asdict(size)}


def _check(folder, size):
    """Refuse a folder that holds something else than what would be written."""
    try:
        found = json.loads((folder / "dataset.json").read_text())
    except ValueError:
        found = {}
    asked = _settings(size or Size())
    differing = [
        f"{name} {found.get(name, 'missing')} there, {value} asked for"
        for name, value in asked.items()
        if found.get(name) != value and (name != "size" or size)
    ]
    if differing:
        raise ValueError(
            f"{folder} holds another synthetic data set: {'; '.join(differing)}. "
            "Delete that folder and it is written anew, or give another --data_dir."
        )


def _clip_rows(size):
    """One row per clip; containers alternate over people and actions alike, so that they tell nothing."""
    rows = []
    for who, (place, action) in itertools.product(
        range(size.train_people + size.test_people), enumerate(poses.ACTIONS)
    ):
        ending = CODECS[(who + place) % 2][0]
        rows.append(
            {
                "path": f"{action}/v_{action}_g{who + 1:02d}_c01{ending}",
                "action": action,
                "split": "train" if who < size.train_people else "test",
                **_has(PEOPLE, who),
            }
        )
    return rows


def _image_rows(size):
    return [
        {
            "path": f"{index + 1:05d}.jpg",
            "split": "train" if index < size.train_images else "test",
            **_has(IMAGES, index),
        }
        for index in range(size.train_images + size.test_images)
    ]


def _has(stream, index):
    """Attributes of one person as 0 and 1."""
    return {
        name: int(value)
        for name, value in renderer.draw_person(_generator(stream, index)).has.items()
    }


def _generator(stream, index):
    return np.random.default_rng((SEED, stream, index))


def _write_clip(path, row, index, size):
    person = renderer.draw_person(_generator(PEOPLE, index // len(poses.ACTIONS)))
    rng = _generator(MOTION, index)
    phases = poses.phases(row["action"], int(rng.integers(size.shortest, size.longest + 1)), rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    video = renderer.draw(person, phases, size.side)
    array_writer.write_video(path, video, fps=poses.FPS, codec=dict(CODECS)[path.suffix])


def _write_image(path, index, size):
    rng = _generator(IMAGES, index)
    person = renderer.draw_person(rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    array_writer.write_jpeg(path, renderer.draw(person, poses.random_pose(rng), size.side)[0])


def _write_table(path, rows):
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    _write_text(path, "\n".join(lines) + "\n")


def _write_split_lists(folder, rows):
    """UCF101's own three files, so that whatever reads UCF101 reads this folder."""
    numbers = {name: number for number, name in enumerate(poses.ACTIONS, start=1)}
    _write_text(
        folder / "classInd.txt", "".join(f"{number} {name}\n" for name, number in numbers.items())
    )
    _write_text(
        folder / "trainlist01.txt",
        "".join(
            f"{row['path']} {numbers[row['action']]}\n" for row in rows if row["split"] == "train"
        ),
    )
    _write_text(
        folder / "testlist01.txt",
        "".join(f"{row['path']}\n" for row in rows if row["split"] == "test"),
    )


def _write_text(path, text):
    with files.write_atomically(path) as unfinished:
        unfinished.write_text(text)
