"""The built-in synthetic data set: moving figures (X_action) and pictures of them (X_privacy).

    <folder>/clips/<Action>/v_<Action>_g01_c01.avi or .mp4   g01: the person; everyone performs
                                                             every action
    <folder>/clips/labels.csv                                path, action, split, private attributes
    <folder>/clips/{classInd,trainlist01,testlist01}.txt     the split again, in UCF101's format
    <folder>/images/00001.jpg, images/labels.csv             path, split, private attributes
    <folder>/dataset.json                                    written last: the folder is complete

Every file follows from the data set's seed and its own number, so that the folder is the same after
an interruption, or when two processes write it at once. No person or background is in both splits.
Since everyone performs every action, neither reveals the action. `synthetic.poses` says why a
single frame does not reveal the action, `synthetic.renderer` has the attributes.
"""

import csv
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tqdm
from absl import logging

from tfanon.core import files
from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.synthetic import poses, renderer
from tfanon.media import array_writer

KINDS = ("clips", "images", "private_clips")
DATASET_VERSION = 3  # of drawing and encoding; a folder of another version is refused
DATASET_SEED = 20250414  # independent of config.seed: all runs use the same data
CODECS = ((".mp4", "libx264"), (".avi", "mpeg4"))
# Random streams: the people in the clips, their motion, the images.
PEOPLE_STREAM, MOTION_STREAM, IMAGE_STREAM = 0, 1, 2

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class DatasetSize:
    """How much is written. Each person performs each action once.

    Attributes:
        train_people: People in the training clips.
        test_people: People in the test clips.
        train_images: Training images.
        test_images: Test images.
        shortest: Fewest frames of a clip.
        longest: Most frames of a clip, inclusive.
        side: H and W in pixels.
    """

    train_people: int = 40
    test_people: int = 15
    train_images: int = 1200
    test_images: int = 400
    shortest: int = 44
    longest: int = 60
    side: int = 96


def load(
    kind: str,
    folder: str | os.PathLike[str],
    config: Config | None = None,
    size: DatasetSize | None = None,
) -> dict[str, Examples]:
    """Load the data set, which is written first if `folder` does not contain it.

    Args:
        kind: "clips" with actions, "images" with private attributes, or "private_clips", the clips
            with private attributes.
        folder: Where the data set is.
        config: Unused; the data set is the same for all runs.
        size: The size the data set must have; None: whatever size it has, or DatasetSize() if it
            is written.

    Returns:
        {"train": Examples, "test": Examples}.

    Raises:
        ValueError: There is no such kind, or the folder contains another version, seed or size.
    """
    published_split.check_kind("synthetic", kind, KINDS)
    write_dataset(folder, size)
    media_folder = pathlib.Path(folder) / ("images" if kind == "images" else "clips")
    with open(media_folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    make_examples = _make_action_examples if kind == "clips" else _make_attribute_examples
    splits: dict[str, Examples] = {}
    for split in ("train", "test"):
        split_rows = [row for row in rows if row["split"] == split]
        splits[split] = make_examples(media_folder, split_rows)
    return splits


def _make_action_examples(folder: pathlib.Path, rows: Sequence[Row]) -> Examples:
    names = list(poses.ACTIONS)
    labels = np.array([names.index(row["action"]) for row in rows], np.int32)
    return Examples(
        _list_paths(folder, rows), labels=labels, classes=tuple(names), groups=_list_people(rows)
    )


def _make_attribute_examples(folder: pathlib.Path, rows: Sequence[Row]) -> Examples:
    names = renderer.ATTRIBUTE_NAMES
    attributes = np.zeros((len(rows), len(names)), np.float32)
    for row, values in enumerate(rows):
        attributes[row] = [float(values[name]) for name in names]
    return Examples(
        _list_paths(folder, rows),
        attributes=attributes,
        attribute_names=names,
        groups=_list_people(rows),
    )


def _list_people(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the person in each clip; every image shows a different person."""
    groups: list[str] = []
    for row in rows:
        path = row["path"]
        # v_<Action>_g01_c01.avi: the person is g01. The name of an image has no "_".
        groups.append(path.split("_")[-2] if "_" in path else path)
    return tuple(groups)


def _list_paths(folder: pathlib.Path, rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(str(folder / row["path"]) for row in rows)


def write_dataset(folder: str | os.PathLike[str], size: DatasetSize | None = None) -> None:
    """Write the data set unless `folder` contains it.

    After an interruption, all files are written again.

    Args:
        folder: Where the data set goes.
        size: How much is written; None: DatasetSize(), or any size if the data set exists.

    Raises:
        ValueError: The folder contains another version, seed or size.
    """
    folder = pathlib.Path(folder)
    if (folder / "dataset.json").exists():
        _check_existing(folder, size)
        return
    size = size or DatasetSize()
    clips, images = _make_clip_rows(size), _make_image_rows(size)
    logging.info(
        "Writing the synthetic data set to %s, once: %d clips, %d images.",
        folder,
        len(clips),
        len(images),
    )
    # disable=None: no progress bar where the output is not a terminal.
    for index, row in enumerate(tqdm.tqdm(clips, "synthetic clips", unit="clip", disable=None)):
        _write_clip(folder / "clips" / row["path"], row["action"], index, size)
    for index, row in enumerate(tqdm.tqdm(images, "synthetic images", unit="image", disable=None)):
        _write_image(folder / "images" / row["path"], index, size)
    _write_table(folder / "clips" / "labels.csv", clips)
    _write_table(folder / "images" / "labels.csv", images)
    _write_split_lists(folder / "clips", clips)
    # Last: its presence says that all other files are there.
    files.write_json_atomically(
        folder / "dataset.json", _make_record(size), indent=2, sort_keys=False
    )


def _make_record(size: DatasetSize) -> dict[str, Any]:
    """Return the content of dataset.json."""
    return {"version": DATASET_VERSION, "seed": DATASET_SEED, "size": dataclasses.asdict(size)}


def _check_existing(folder: pathlib.Path, size: DatasetSize | None) -> None:
    """Raise ValueError unless the folder contains the data set that would be written."""
    try:
        record = json.loads((folder / "dataset.json").read_text())
    except ValueError:  # not JSON: reported as another data set
        record = {}
    expected = _make_record(size or DatasetSize())
    if size is None:  # any size will do
        del expected["size"]
    differences: list[str] = []
    for name, value in expected.items():
        if record.get(name) != value:
            differences.append(f"{name} is {record.get(name, 'missing')} instead of {value}")
    if differences:
        raise ValueError(
            f"{folder} contains another synthetic data set: {'; '.join(differences)}. Delete the "
            "folder so that it is written again, or use another --data_dir."
        )


def _make_clip_rows(size: DatasetSize) -> list[Row]:
    """Return one row per clip.

    Containers alternate over people and over actions, so that the container reveals neither.
    """
    rows: list[Row] = []
    for person in range(size.train_people + size.test_people):
        attributes = _draw_attributes(PEOPLE_STREAM, person)
        for action_index, action in enumerate(poses.ACTIONS):
            ending, _ = CODECS[(person + action_index) % 2]
            rows.append(
                {
                    "path": f"{action}/v_{action}_g{person + 1:02d}_c01{ending}",
                    "action": action,
                    "split": "train" if person < size.train_people else "test",
                    **attributes,
                }
            )
    return rows


def _make_image_rows(size: DatasetSize) -> list[Row]:
    rows: list[Row] = []
    for index in range(size.train_images + size.test_images):
        rows.append(
            {
                "path": f"{index + 1:05d}.jpg",
                "split": "train" if index < size.train_images else "test",
                **_draw_attributes(IMAGE_STREAM, index),
            }
        )
    return rows


def _draw_attributes(stream: int, index: int) -> dict[str, int]:
    """Return the attributes of one person as 0 and 1."""
    person = renderer.draw_person(_make_generator(stream, index))
    return {name: int(value) for name, value in person.has.items()}


def _make_generator(stream: int, index: int) -> np.random.Generator:
    # One generator per person or file, so that the order of writing does not matter.
    return np.random.default_rng((DATASET_SEED, stream, index))


def _write_clip(path: pathlib.Path, action: str, index: int, size: DatasetSize) -> None:
    # Rows are sorted by person, one row per action.
    person = renderer.draw_person(_make_generator(PEOPLE_STREAM, index // len(poses.ACTIONS)))
    rng = _make_generator(MOTION_STREAM, index)
    num_frames = int(rng.integers(size.shortest, size.longest + 1))
    phases = poses.draw_phases(action, num_frames, rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = renderer.draw_frames(person, phases, size.side)
    codec = dict(CODECS)[path.suffix]
    array_writer.write_video(path, frames, fps=poses.FRAME_RATE, codec=codec)


def _write_image(path: pathlib.Path, index: int, size: DatasetSize) -> None:
    # The same generator as in _draw_attributes, so that the picture shows the listed attributes.
    rng = _make_generator(IMAGE_STREAM, index)
    person = renderer.draw_person(rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture,) = renderer.draw_frames(person, poses.draw_random_pose(rng), size.side)
    array_writer.write_jpeg(path, picture)


def _write_table(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    # No value contains a comma or a quote.
    lines = [",".join(rows[0])]
    lines += [",".join(map(str, row.values())) for row in rows]
    files.write_text_atomically(path, "\n".join(lines) + "\n")


def _write_split_lists(folder: pathlib.Path, rows: Sequence[Row]) -> None:
    """Write UCF101's own three files, so that programs that read UCF101 can read this folder."""
    numbers = {name: number for number, name in enumerate(poses.ACTIONS, start=1)}
    class_lines = [f"{number} {name}\n" for name, number in numbers.items()]
    train_lines: list[str] = []
    test_lines: list[str] = []
    for row in rows:
        if row["split"] == "train":
            train_lines.append(f"{row['path']} {numbers[row['action']]}\n")
        else:
            test_lines.append(f"{row['path']}\n")
    files.write_text_atomically(folder / "classInd.txt", "".join(class_lines))
    files.write_text_atomically(folder / "trainlist01.txt", "".join(train_lines))
    files.write_text_atomically(folder / "testlist01.txt", "".join(test_lines))
