"""Reads the annotations of PA-HMDB51: what each frame of 515 clips of HMDB51 shows of people.

PrivacyAttributes/<action>.json holds {"<clip>.avi": {"face": [[start, end, value], ..], ..}}: the
frames from start to end, both included; a value is a number, or a list of numbers for several
people. The published files have these irregularities: a list [0, 1] of genders (clap), two segments
that share a frame (hug), 14 clips whose first frames have no label, and two frames that lack one of
the five labels. The sum of last frames + 1 is 52,533; 52,413 frames have any label.
"""

import os
from typing import Any

import numpy as np

from tfanon.data.parsing import text_lists

RELATIVE_FOLDER = "pa_hmdb51/PrivacyAttributes"  # below --data_dir
ABOUT = "Download it from https://github.com/VITA-Group/PA-HMDB51 (for non-commercial research)."
# Order of the columns here and in the VP data sets.
PRIVATE_ATTRIBUTES = ("skin_color", "face", "gender", "nudity", "relationship")
ATTRIBUTE_VALUES = {
    "skin_color": ("unidentifiable", "white", "brown or yellow", "black"),
    "face": ("invisible", "partly visible", "visible"),
    "gender": ("unidentifiable", "male", "female"),
    "nudity": ("none", "partial", "semi"),
    "relationship": ("not apparent", "apparent"),
}
MAX_FRAME_NUMBER = 100_000  # beyond it a segment is a mistake: clips have some hundred frames


def find_annotation_files(folder: str) -> dict[str, str]:
    """Find the annotation file of each action.

    Args:
        folder: Folder of the data set, which holds PrivacyAttributes/.

    Returns:
        Path by action, in alphabetical order of actions.

    Raises:
        ValueError: The folder or the files are missing.
    """
    files_folder = text_lists.find_first_existing(
        folder, ("PrivacyAttributes",), "annotations", ABOUT
    )
    paths = {}
    for name in sorted(os.listdir(files_folder)):
        if name.endswith(".json"):
            paths[name.removesuffix(".json")] = os.path.join(files_folder, name)
    if not paths:
        raise ValueError(f"{files_folder} contains no .json file. {ABOUT}")
    return paths


def list_annotated_clips(folder: str) -> tuple[str, ...]:
    """List "<action>/<clip>.avi" of every annotated clip.

    Args:
        folder: As in `find_annotation_files`.

    Raises:
        ValueError: As in `find_annotation_files`, or a file is not as described above.
    """
    clips = []
    for action, path in find_annotation_files(folder).items():
        clips += [f"{action}/{clip}" for clip in _read_clips(path)]
    return tuple(clips)


def read_frame_values(folder: str) -> dict[str, np.ndarray]:
    """Read the attribute values of every frame.

    Args:
        folder: As in `find_annotation_files`.

    Returns:
        By "<action>/<clip>.avi", uint8 `[frames, 5]`: bit v is set where the attribute
        PRIVATE_ATTRIBUTES[p] has the value v; 0 is a frame without label.

    Raises:
        ValueError: A file is not as described above; the message names file, clip and segment.
    """
    values = {}
    for action, path in find_annotation_files(folder).items():
        for clip, annotation in _read_clips(path).items():
            values[f"{action}/{clip}"] = _parse_frame_values(annotation, f"{path}: {clip}")
    return values


def find_labelled_frames(values: np.ndarray) -> np.ndarray:
    """Return the numbers of the frames in which every attribute has a value.

    Args:
        values: Of one clip, as `read_frame_values` returns them.
    """
    return np.flatnonzero((values > 0).all(axis=1))


def _read_clips(path: str) -> dict[str, Any]:
    """Read one annotation file; its keys must be plain file names."""
    clips = text_lists.read_json(path)
    for clip in clips:
        # The key becomes a part of a path.
        if os.path.basename(clip) != clip:
            raise ValueError(f"{path}: '{clip}' is not a file name.")
    return clips


def _parse_frame_values(annotation: dict[str, Any], location: str) -> np.ndarray:
    """Convert the segments of one clip to bits per frame, uint8 [frames, 5]."""
    segments = []
    for column, name in enumerate(PRIVATE_ATTRIBUTES):
        # An attribute may be missing or empty.
        for segment in annotation.get(name) or ():
            first, last, bits = _parse_segment(segment, name, location)
            segments.append((column, first, last, bits))
    # Frames after the last segment have no label, so the count need not be that of the video.
    frame_count = max((last + 1 for _, _, last, _ in segments), default=0)
    values = np.zeros((frame_count, len(PRIVATE_ATTRIBUTES)), np.uint8)
    for column, first, last, bits in segments:
        # Or: two segments of one clip share a frame, which then has both values.
        values[first : last + 1, column] |= bits
    return values


def _parse_segment(segment: Any, name: str, location: str) -> tuple[int, int, int]:
    """Return first frame, last frame and the bits of the values between them."""
    try:
        # Anything else than three parts or numbers fails here and becomes one message.
        first, last, value = segment
        values = value if isinstance(value, list) else [value]
        allowed = range(len(ATTRIBUTE_VALUES[name]))
        if not 0 <= first <= last <= MAX_FRAME_NUMBER:
            raise ValueError
        if not all(value in allowed for value in values):
            raise ValueError
        # A set, so that a value that is listed twice sets its bit once.
        return first, last, sum({1 << value for value in values})
    except (TypeError, ValueError):
        meanings = ", ".join(f"{value} {word}" for value, word in enumerate(ATTRIBUTE_VALUES[name]))
        raise ValueError(
            f"{location}: {name} {segment} must be [first frame, last frame, value] with the "
            f"values {meanings}."
        ) from None
