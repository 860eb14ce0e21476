"""Folders of runs and sweeps with numbers made up for tests; nothing was trained."""

import json
import struct

from PIL import Image
from tensorboard.compat.proto import event_pb2

from tfanon.core import config

CHANCE = {"action_chance": 0.125, "cmap_chance": 0.4, "f1_chance": 0.6}
# name: (top-1, cMAP of the run's judge, cMAP of the strongest attacker)
SCORES = {"raw": (0.9, 0.85, 0.9), "blur": (0.8, 0.75, 0.8), "downsample": (0.6, 0.65, 0.7)}


def write_run(
    folder,
    seed=0,
    shift=0.0,
    f_A=(0.8, 0.6, 0.7),
    baselines=tuple(SCORES),
    evaluated=True,
    gates=True,
    **flags,
):
    """Write a run's folder; returns it.  shift: added to each leak, as if by the seed."""
    folder.mkdir(parents=True)
    settings = config.Config(
        workdir=str(folder), seed=seed, privacy_network="small_resnet", baselines=baselines, **flags
    )
    config.write_flagfile(settings, folder / "run.flags")
    scores = {name: SCORES[name] for name in baselines} | {"f_A": f_A}
    write_json(
        folder / "results.json",
        {
            "schema_version": 1,
            "seed": seed,
            "notes": [],
            "rows": [
                make_row(name, top1, cmap + shift) for name, (top1, cmap, _) in scores.items()
            ],
        },
    )
    if evaluated:
        write_json(
            folder / "evaluation/strict/results.json", make_evaluation(seed, scores, shift, gates)
        )
    write_curves(
        folder / "logs/anonymize", {"L_T": [(20, 2.0), (40, 1.0)], "rms": [(20, 0.05), (40, 0.1)]}
    )
    write_curves(
        folder / "logs/privacy-images-f_A",
        {"held_out": [(10, 0.5), (20, 0.55), (30, 0.56), (40, 0.56)]},
    )
    (folder / "pictures").mkdir()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(folder / "pictures/images.png")
    return folder


def make_row(name, top1, cmap):
    """An entry of the run's own results."""
    images = {
        "cmap": cmap,
        "cmap_chance": 0.4,
        "cmap_above_floor": cmap - 0.4,
        "cmap_interval": [cmap - 0.02, cmap + 0.03],
        "f1": 0.7,
        "f1_chance": 0.6,
        "f1_logit_half": 0.65,
        "f1_tuned": 0.72,
        "average_precision": {"hat": cmap, "tree": cmap},
    }
    return {
        "anonymizer": name,
        "action_top1": top1,
        "action_chance": 0.125,
        "action_interval": [top1 - 0.05, top1 + 0.05],
        "images": images,
    }


def make_evaluation(seed, scores, shift=0.0, gates=True):
    """What tfanon.evaluate leaves under one protocol."""
    attacks = []
    for name, (_, _, worst) in scores.items():
        attacks += [
            make_attack(name, "fresh", worst + shift, seed),
            make_attack(name, "frozen", 0.45, seed),
            {
                "anonymizer": name,
                "attacker": "identity",
                "network": "small3d",
                "probe": "clips",
                "identity_top1": 0.5,
                "identity_interval": [0.4, 0.6],
                "identity_chance": 0.1,
            },
            {
                "anonymizer": name,
                "attacker": "reconstruction",
                "psnr": 21.5,
                "ssim": 0.7,
                "ms_ssim": None,
            },
        ]
    return {
        "schema_version": 1,
        "protocol": "strict",
        "seed": seed,
        "command": "python -m tfanon.evaluate ..",
        "actions": [
            {
                "anonymizer": "f_A",
                "network": "r3d_18",
                "action_top1": 0.7,
                "action_interval": [0.6, 0.8],
                "action_chance": 0.125,
            }
        ],
        "attacks": attacks,
        "flicker": [{"anonymizer": "f_A", "flicker": 0.01}],
        "notes": [],
        "gates": [
            {
                "gate": "raw is read",
                "attacker": "fresh",
                "value": 0.9,
                "bound": 0.7,
                "passed": gates,
            }
        ],
    }


def make_attack(name, attacker, cmap, seed):
    return {
        "anonymizer": name,
        "attacker": attacker,
        "network": "resnet18",
        "start": "scratch",
        "probe": "images",
        "cmap": cmap,
        "cmap_chance": 0.4,
        "cmap_above_floor": cmap - 0.4,
        "cmap_interval": [cmap - 0.01, cmap + 0.02],
        "f1": 0.7,
        "f1_chance": 0.6,
        "f1_logit_half": 0.66,
        "f1_tuned": 0.75,
        "average_precision": {"hat": cmap, "tree": 0.5},
        "selected": {"epoch": 4, "score": cmap},
        "curve": [[10, cmap - 0.2], [20, cmap - 0.1], [30, cmap - 0.05], [40, cmap]],
        "budget": {"steps": 40, "epochs": 4, "parameters": 1000},
    }


def write_sweep(folder, bounds=(0.05, 0.2), seeds=(0, 1, 2), **more):
    """Write a sweep over B and the seed; returns its folder."""
    points = []
    for bound in bounds:
        for seed in seeds:
            name = f"B{bound:g}-seed{seed}"
            scores = (0.9 - bound, 0.6 + bound, 0.7 + bound)
            write_run(folder / name, seed, 0.01 * (seed - 1), scores, penalty_bound=bound, **more)
            points.append({"name": name, "flags": {"penalty_bound": bound, "seed": seed}})
    write_json(folder / "sweep.json", {"schema_version": 1, "points": points})
    return folder


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_curves(folder, curves, name="events.out.tfevents.100.host.1.0.v2"):
    """Write an event file as TensorFlow does, checksums zero; curves: {tag: [(step, value)]}."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "wb") as file:
        for tag, points in curves.items():
            for step, number in points:
                event = event_pb2.Event(step=step)
                value = event.summary.value.add(tag=tag)
                value.metadata.plugin_data.plugin_name = "scalars"
                value.tensor.dtype, value.tensor.tensor_content = 1, struct.pack("<f", number)
                data = event.SerializeToString()
                file.write(struct.pack("<QI", len(data), 0) + data + struct.pack("<I", 0))
