"""The data sets of the paper in miniature, under their real names: tiny real videos and JPEGs, made-up labels.

Each function writes one data set below a data_dir and returns its folder.
"""

import json
import pathlib
import pickle

import numpy as np

from tfanon.data.sources import vispr as vispr_source
from tfanon.media import array_writer

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
    "clap/103_years_old_japanese_woman__Nao_is_clapping_with_piano_music_by_beethoven_clap_u_cm_np1_fr_med_1.avi": 2,
    "hug/-_FREE_HUGS_-_Abrazos_Gratis_www_abrazosgratis_org_hug_u_cm_np2_ba_goo_10.avi": 1,
    "hug/American_History_X_hug_f_nm_np2_le_med_35.avi": 1,
    "hug/Calins_gratuits_a_Paris_-_Free_Hugs_France_-_version_longue_hug_u_cm_np2_le_med_27.avi": 1,
    "hug/Free_Hugs_-_Gratis_umarmung_hug_u_cm_np2_le_med_0.avi": 2,
    "situp/Ab_Workout__(_6_pack_abs_)_[_ab_exercises_for_ripped_abs_]_situp_f_nm_np1_le_goo_0.avi": 1,
    "situp/Abs__Situps__Crunches_situp_u_cm_np1_ri_goo_2.avi": 1,
    "situp/Abs__Situps__Crunches_situp_u_nm_np3_ri_goo_6.avi": 2,
    "wave/BLACK_HAWK_DOWN_wave_u_nm_np1_ba_goo_19.avi": 1,
    "wave/CharlieAndTheChocolateFactory_wave_u_nm_np2_fr_goo_18.avi": 1,
    "wave/BuddhaPainter_wave_u_nm_np1_fr_med_1.avi": 0,
    "wave/IamLegend_wave_u_nm_np1_ba_med_6.avi": 2,
}
ANNOTATED = [
    path
    for path in HMDB51
    if any(part in path for part in ("goo_2.avi", "Aishwarya", "longue", "np3_ri", "BuddhaPainter"))
    and "cm_np1_ri_goo_2" not in path
]
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


def video(path, seed, frames=14):
    """A tiny AVI as HMDB51 and UCF101 have them."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 255, (6, 8, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    array_writer.write_video(
        path, [np.roll(first, 2 * number, 1) for number in range(frames)], codec="mpeg4"
    )


def ucf101(data_dir, media=True):
    folder = pathlib.Path(data_dir) / "ucf101"
    names = ["ApplyEyeMakeup", "HandstandPushups", "YoYo"]
    _text(
        folder / "ucfTrainTestlist/classInd.txt", [f"{n} {name}" for n, name in enumerate(names, 1)]
    )
    for number in "123":
        for word in ("train", "test"):
            paths = [path for path, split in UCF101.items() if split == word]
            label = {
                path: f" {1 + names.index(path.split('/')[0])}" if word == "train" else ""
                for path in paths
            }
            _text(
                folder / f"ucfTrainTestlist/{word}list0{number}.txt",
                [path + label[path] for path in paths],
            )
    _videos(folder / "UCF-101", UCF101, media)
    return folder


def hmdb51(data_dir, media=True):
    folder = pathlib.Path(data_dir) / "hmdb51"
    for name in sorted({path.split("/")[0] for path in HMDB51}):
        lines = [
            f"{path.split('/')[1]} {word} "
            for path, word in HMDB51.items()
            if path.split("/")[0] == name
        ]
        for number in "123":
            _text(folder / f"testTrainMulti_7030_splits/{name}_test_split{number}.txt", lines, "\n")
    _videos(folder, HMDB51, media)
    return folder


def pa_hmdb51(data_dir):
    """Frames 0 to 13 of each clip; the anomalies of the real files, one each."""
    folder = pathlib.Path(data_dir) / "pa_hmdb51"
    clips = {}
    for number, path in enumerate(ANNOTATED):
        action, clip = path.split("/")
        about = {
            "skin_color": [[0, 13, 1 + number % 3]],
            "face": [[0, 6, number % 3], [7, 13, 2]],
            "gender": [[0, 13, [1, 2] if number % 2 else 1]],
            "nudity": [[0, 9, number % 3], [10, 13, 0]],
            "relationship": [[0, 13, number % 2]],
            "review": True,
        }
        if "Aishwarya" in clip:
            about["gender"] = [[0, 13, [0, 1]]]
        if "longue" in clip:  # two segments share frame 11
            about["face"] = [[0, 4, 0], [5, 11, 1], [11, 13, 2]]
        if "Buddha" in clip:  # the first frames have no label
            about = {
                name: [[4, *segments[0][1:]], *segments[1:]] if name != "review" else False
                for name, segments in about.items()
            }
        clips.setdefault(action, {})[clip] = about
    for action, about in clips.items():
        _text(folder / f"PrivacyAttributes/{action}.json", [json.dumps(about)])
    return folder


def vispr(data_dir, train=24, test=12, media=True):
    folder = pathlib.Path(data_dir) / "vispr"
    rng = np.random.default_rng(5)
    for split, count in (("train", train), ("test", test), ("val", 2)):
        names = [
            f"annotations/{split}2017/2017_{10001018 + number}.json" for number in range(count)
        ]
        _text(folder / f"{split}2017.txt", names, "\n")
        for number, name in enumerate(names):
            labels = [label for label in VISPR_LABELS if rng.random() < 0.5]
            image = name.replace("annotations", "images").replace("json", "jpg")
            about = {"id": name[-18:-5], "image_path": image, "labels": labels}
            _text(folder / name, [json.dumps(about)])
            if media:
                array_writer.write_jpeg(
                    folder / image, rng.integers(0, 255, (20, 24, 3)).astype(np.uint8)
                )
    assert set(VISPR_LABELS) <= set(vispr_source.ATTRIBUTES)
    return folder


def vp(data_dir, name, ending=".pickle"):
    """name: "hmdb51" or "ucf101", whose videos are labelled; row i of the sorted paths has the bits of i."""
    paths = sorted({"hmdb51": HMDB51, "ucf101": UCF101}[name])
    folder = pathlib.Path(data_dir) / f"vp_{name}"
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        path.replace(".avi", ".mp4"): [row >> bit & 1 for bit in range(5)]
        for row, path in enumerate(paths)
    }
    file = folder / f"{name}_privacy_attribute_label{ending}"
    if ending == ".pickle":
        file.write_bytes(pickle.dumps({path: np.array([row]) for path, row in values.items()}))
    elif ending == ".json":
        file.write_text(json.dumps(values))
    else:
        lines = [f'"{path}",{",".join(map(str, row))}' for path, row in values.items()]
        _text(file, ["video,skin_color,face,gender,nudity,relationship", *lines])
    return folder


def _videos(folder, paths, media):
    for seed, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if media:
            video(folder / path, seed)


def _text(path, lines, end="\r\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
