"""PA-HMDB51's annotations: what each frame of 515 clips of HMDB51 shows of the people in it.

PrivacyAttributes/<action>.json holds {"<clip>.avi": {"face": [[start, end, value], ..], ..}}: frames start to end, both
included; a value is a number or a list of them, for several people. What a reader must survive: a list [0, 1] of
genders (clap), two segments that share a frame (hug), 14 clips whose first frames have no label, and two frames that
lack one label of the five. The sum of last frames + 1 is 52,533; frames with any label are 52,413.
"""

import os

import numpy as np

from tfanon.data.parsing import text_lists

RELATIVE_FOLDER = "pa_hmdb51/PrivacyAttributes"  # below --data_dir
ABOUT = "https://github.com/VITA-Group/PA-HMDB51 has it, for non-commercial research."
PRIVATE_ATTRIBUTES = (
    "skin_color",
    "face",
    "gender",
    "nudity",
    "relationship",
)  # columns here and of the VP data sets
ATTRIBUTE_VALUES = {
    "skin_color": ("unidentifiable", "white", "brown or yellow", "black"),
    "face": ("invisible", "partly visible", "visible"),
    "gender": ("unidentifiable", "male", "female"),
    "nudity": ("none", "partial", "semi"),
    "relationship": ("not apparent", "apparent"),
}
MAX_FRAME_NUMBER = 100_000  # beyond it a segment is a mistake: the clips have some hundred frames


def find_annotation_files(folder):
    """{action: path} of the annotation files below pa_hmdb51's folder."""
    place = text_lists.find_first_existing(folder, ("PrivacyAttributes",), "annotations", ABOUT)
    found = {
        name.removesuffix(".json"): os.path.join(place, name)
        for name in sorted(os.listdir(place))
        if name.endswith(".json")
    }
    if not found:
        raise ValueError(f"{place} holds no .json file. {ABOUT}")
    return found


def list_annotated_clips(folder):
    """ "<action>/<clip>.avi" of every annotated clip."""
    return tuple(
        f"{action}/{clip}"
        for action, path in find_annotation_files(folder).items()
        for clip in _read_clips(path)
    )


def read_frame_values(folder):
    """{"<action>/<clip>.avi": values}: uint8 [frames, 5], bit v set where the attribute PRIVATE[p] has the value v.

    0 stands for a frame without label.  Raises ValueError that names file, clip and segment at fault.
    """
    return {
        f"{action}/{clip}": _parse_frame_values(about, f"{path}: {clip}")
        for action, path in find_annotation_files(folder).items()
        for clip, about in _read_clips(path).items()
    }


def find_labelled_frames(values):
    """Numbers of the frames in which each attribute has a value."""
    return np.flatnonzero((values > 0).all(axis=1))


def _read_clips(path):
    clips = text_lists.read_json(path)
    for clip in clips:
        if os.path.basename(clip) != clip:
            raise ValueError(f"{path}: '{clip}' is no file name.")
    return clips


def _parse_frame_values(about, where):
    segments = [
        (column, *_parse_segment(segment, name, where))
        for column, name in enumerate(PRIVATE_ATTRIBUTES)
        for segment in about.get(name) or ()
    ]
    values = np.zeros(
        (1 + max((last for _, _, last, _ in segments), default=-1), len(PRIVATE_ATTRIBUTES)),
        np.uint8,
    )
    for column, first, last, bits in segments:
        values[first : last + 1, column] |= bits
    return values


def _parse_segment(segment, name, where):
    """(first frame, last frame, bits)."""
    try:
        first, last, shown = segment
        shown = shown if isinstance(shown, list) else [shown]
        if not 0 <= first <= last <= MAX_FRAME_NUMBER or not all(
            value in range(len(ATTRIBUTE_VALUES[name])) for value in shown
        ):
            raise ValueError
        return first, last, sum({1 << value for value in shown})
    except (TypeError, ValueError):
        values = ", ".join(f"{number} {word}" for number, word in enumerate(ATTRIBUTE_VALUES[name]))
        raise ValueError(
            f"{where}: {name} {segment} is no [first frame, last frame, value] with {values}."
        ) from None
