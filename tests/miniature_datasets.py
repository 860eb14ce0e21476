"""The paper's data sets in miniature, under their real names: tiny media files, made-up labels.

Each function writes one data set below a data_dir and returns its folder.
"""

import json
import os
import pathlib
import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfanon.data.sources import vispr as vispr_source
from tfanon.media import array_writer

PathLike = str | os.PathLike[str]

UCF101 = {  # path: "train" or "test" in split 1
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi": "train",
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi": "test",
    "HandstandPushups/v_HandStandPushups_g08_c01.avi": "train",
    "HandstandPushups/v_HandStandPushups_g01_c01.avi": "test",
    "YoYo/v_YoYo_g08_c01.avi": "train",
    "YoYo/v_YoYo_g08_c02.avi": "train",
    "YoYo/v_YoYo_g01_c01.avi": "test",
}
HMDB51 = {  # path: 1 train, 2 test, 0 unused in split 1
    "clap/#20_Rhythm_clap_u_nm_np1_fr_goo_0.avi": 1,
    "clap/#20_Rhythm_clap_u_nm_np1_fr_goo_2.avi": 1,
    "clap/Clap_Hands_clap_u_nm_np1_fr_med_0.avi": 1,
    "clap/Aishwarya_Rai_Burns_David_Letterman_in_his_own_show_clap_u_cm_np1_fr_bad_1.avi": 0,
    (
        "clap/103_years_old_japanese_woman__Nao_is_clapping_with_piano_music_by_beethoven"
        "_clap_u_cm_np1_fr_med_1.avi"
    ): 2,
    "hug/-_FREE_HUGS_-_Abrazos_Gratis_www_abrazosgratis_org_hug_u_cm_np2_ba_goo_10.avi": 1,
    "hug/American_History_X_hug_f_nm_np2_le_med_35.avi": 1,
    "hug/Calins_gratuits_a_Paris_-_Free_Hugs_France_-_version_longue_hug_u_cm_np2_le_med_27.avi": 1,
    "hug/Free_Hugs_-_Gratis_umarmung_hug_u_cm_np2_le_med_0.avi": 2,
    (
        "situp/Ab_Workout__(_6_pack_abs_)_[_ab_exercises_for_ripped_abs_]"
        "_situp_f_nm_np1_le_goo_0.avi"
    ): 1,
    "situp/Abs__Situps__Crunches_situp_u_cm_np1_ri_goo_2.avi": 1,
    "situp/Abs__Situps__Crunches_situp_u_nm_np3_ri_goo_6.avi": 2,
    "wave/BLACK_HAWK_DOWN_wave_u_nm_np1_ba_goo_19.avi": 1,
    "wave/CharlieAndTheChocolateFactory_wave_u_nm_np2_fr_goo_18.avi": 1,
    "wave/BuddhaPainter_wave_u_nm_np1_fr_med_1.avi": 0,
    "wave/IamLegend_wave_u_nm_np1_ba_med_6.avi": 2,
}
# The clips that PA-HMDB51 annotates, by a part of their names.
ANNOTATED_PARTS = ("clap_u_nm_np1_fr_goo_2", "Aishwarya", "longue", "np3_ri", "BuddhaPainter")
ANNOTATED = [path for path in HMDB51 if any(part in path for part in ANNOTATED_PARTS)]
VISPR_LABELS = (
    "a17_color",
    "a4_gender",
    "a9_face_complete",
    "a10_face_partial",
    "a12_semi_nudity",
    "a64_rel_personal",
    "a65_rel_social",
    "a6_hair_color",
    "a16_race",
    "a59_sports",
    "a1_age_approx",
    "a2_weight_approx",
    "a73_landmark",
    "a11_tattoo",
    "a0_safe",
)


def write_video(path: pathlib.Path, seed: int, frames: int = 14) -> None:
    """Write a tiny AVI like those of HMDB51 and UCF101."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 255, (6, 8, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    moving = [np.roll(first, 2 * number, 1) for number in range(frames)]
    array_writer.write_video(path, moving, codec="mpeg4")


def write_ucf101(data_dir: PathLike, media: bool = True) -> pathlib.Path:
    folder = pathlib.Path(data_dir) / "ucf101"
    lists = folder / "ucfTrainTestlist"
    names = ["ApplyEyeMakeup", "HandstandPushups", "YoYo"]
    _write_lines(lists / "classInd.txt", [f"{n} {name}" for n, name in enumerate(names, 1)])
    train = [path for path, split in UCF101.items() if split == "train"]
    test = [path for path, split in UCF101.items() if split == "test"]
    labelled = [f"{path} {1 + names.index(path.split('/')[0])}" for path in train]
    for number in "123":
        _write_lines(lists / f"trainlist0{number}.txt", labelled)
        _write_lines(lists / f"testlist0{number}.txt", test)
    _write_videos(folder / "UCF-101", UCF101, media)
    return folder


def write_hmdb51(data_dir: PathLike, media: bool = True) -> pathlib.Path:
    folder = pathlib.Path(data_dir) / "hmdb51"
    lines: dict[str, list[str]] = {}
    for path, number in HMDB51.items():
        action, file = path.split("/")
        lines.setdefault(action, []).append(f"{file} {number} ")
    for action, action_lines in lines.items():
        for split in "123":
            name = f"{action}_test_split{split}.txt"
            _write_lines(folder / "testTrainMulti_7030_splits" / name, action_lines, "\n")
    _write_videos(folder, HMDB51, media)
    return folder


def write_pa_hmdb51(data_dir: PathLike) -> pathlib.Path:
    """Annotate frames 0 to 13 of each clip, with one example of each anomaly of the real files."""
    folder = pathlib.Path(data_dir) / "pa_hmdb51"
    clips_by_action: dict[str, dict[str, Any]] = {}
    for number, path in enumerate(ANNOTATED):
        action, clip = path.split("/")
        clips_by_action.setdefault(action, {})[clip] = _annotate(clip, number)
    for action, clips in clips_by_action.items():
        _write_lines(folder / f"PrivacyAttributes/{action}.json", [json.dumps(clips)])
    return folder


def _annotate(clip: str, number: int) -> dict[str, Any]:
    annotation: dict[str, Any] = {
        "skin_color": [[0, 13, 1 + number % 3]],
        "face": [[0, 6, number % 3], [7, 13, 2]],
        "gender": [[0, 13, [1, 2] if number % 2 else 1]],
        "nudity": [[0, 9, number % 3], [10, 13, 0]],
        "relationship": [[0, 13, number % 2]],
        "review": True,
    }
    if "Aishwarya" in clip:
        annotation["gender"] = [[0, 13, [0, 1]]]
    if "longue" in clip:  # two segments share frame 11
        annotation["face"] = [[0, 4, 0], [5, 11, 1], [11, 13, 2]]
    if "Buddha" in clip:  # the first frames have no label
        del annotation["review"]
        for segments in annotation.values():
            segments[0][0] = 4
        annotation["review"] = False
    return annotation


def write_vispr(
    data_dir: PathLike, train: int = 24, test: int = 12, media: bool = True
) -> pathlib.Path:
    folder = pathlib.Path(data_dir) / "vispr"
    rng = np.random.default_rng(5)
    for split, count in (("train", train), ("test", test), ("val", 2)):
        ids = [f"2017_{10001018 + number}" for number in range(count)]
        names = [f"annotations/{split}2017/{image_id}.json" for image_id in ids]
        _write_lines(folder / f"{split}2017.txt", names, "\n")
        for image_id, name in zip(ids, names, strict=True):
            labels = [label for label in VISPR_LABELS if rng.random() < 0.5]
            image = f"images/{split}2017/{image_id}.jpg"
            annotation = {"id": image_id, "image_path": image, "labels": labels}
            _write_lines(folder / name, [json.dumps(annotation)])
            if media:
                pixels = rng.integers(0, 255, (20, 24, 3)).astype(np.uint8)
                array_writer.write_jpeg(folder / image, pixels)
    assert set(VISPR_LABELS) <= set(vispr_source.ATTRIBUTES)
    return folder


def write_vp_labels(data_dir: PathLike, name: str, ending: str = ".pickle") -> pathlib.Path:
    """Write VP labels of videos; row i of the sorted paths has the bits of i as labels.

    Args:
        data_dir: Folder of all data sets.
        name: "hmdb51" or "ucf101", whose videos are labelled.
        ending: Format of the file.
    """
    paths = sorted({"hmdb51": HMDB51, "ucf101": UCF101}[name])
    folder = pathlib.Path(data_dir) / f"vp_{name}"
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        values[path.replace(".avi", ".mp4")] = [row >> bit & 1 for bit in range(5)]
    file = folder / f"{name}_privacy_attribute_label{ending}"
    if ending == ".pickle":
        file.write_bytes(pickle.dumps({path: np.array([row]) for path, row in values.items()}))
    elif ending == ".json":
        file.write_text(json.dumps(values))
    else:
        lines = [f'"{path}",{",".join(map(str, row))}' for path, row in values.items()]
        _write_lines(file, ["video,skin_color,face,gender,nudity,relationship", *lines])
    return folder


def write_all(data_dir: PathLike) -> None:
    """Write every data set, and VP labels of both sets of videos."""
    for write in (write_ucf101, write_hmdb51, write_pa_hmdb51, write_vispr):
        write(data_dir)
    for name in ("hmdb51", "ucf101"):
        write_vp_labels(data_dir, name)


def _write_videos(folder: pathlib.Path, paths: Iterable[str], media: bool) -> None:
    for seed, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if media:
            write_video(folder / path, seed)


def _write_lines(path: pathlib.Path, lines: Iterable[str], end: str = "\r\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
