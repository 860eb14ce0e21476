"""The settings of `python -m tfanon.evaluate`; field names are flag names."""

import dataclasses

from tfanon.core.config import flag

# What may differ from one call to the next: it adds attacks, and changes none that is done.
REPEATABLE_FLAGS = (
    "run_dir",
    "protocol",
    "anonymizers",
    "attackers",
    "networks",
    "data_dir",
    "min_raw_leakage",
    "weights_dir",
    "clips",
    "reuse_from",
)


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Whom a run's data is attacked behind, by whom, with what budget."""

    run_dir: str = flag(
        "",
        "Folder of a run: --workdir of tfanon.train; its run.flags says data, networks and budget.",
    )
    protocol: str = flag("quick", "A file of tfanon/attacks/protocols.")
    anonymizers: tuple = flag(
        (),
        "f_A of the run, fixed ones by name, SavedModel folders, .tflite files; NAME+h264 is "
        "what H.264 leaves of NAME. Empty: the run's baselines and f_A.",
    )
    attackers: tuple = flag(
        (),
        "Files of tfanon/attacks, with settings as in reconstruction:width=0.5; empty: the "
        "protocol's.",
    )
    networks: tuple = flag((), "Networks of attackers and of action judges; empty: the protocol's.")
    weights_dir: str = flag(
        "", "Folder of NETWORK.weights.h5 of tfanon.weights, from which attackers also start."
    )
    reuse_from: tuple = flag(
        (),
        "Folders of other runs: what they were attacked by behind raw video, noise and the same "
        "baselines, under equal flags, is taken over.",
        alias="share",
    )
    data_dir: str = flag("", "Where the run's data is now; empty: where the run found it.")
    eval_clip_source: str = flag(
        "",
        "Novel actions: data set of f_T' and of attacks on clips; empty: as in the run.",
        alias="judge_clip_source",
    )
    test_clip_source: str = flag(
        "", "Data set whose test clips f_T' is measured on; empty: as in the run."
    )
    test_image_source: str = flag(
        "", "Data set whose test images are attacked; empty: as in the run."
    )
    attribute_set: str = flag(
        "", "Novel attributes: vispr1, vispr2, pa_hmdb51 or vita; empty: as in the run."
    )
    clips: bool = flag(
        True, "Attack the clips' own private attributes too, where the data set has any."
    )
    attack_epochs: int = flag(0, "Epochs of an attack; 0: as the run's f_B'.", low=0, high=100000)
    attack_clip_epochs: int = flag(
        0,
        "Epochs of an attack on clips; 0: as the run's, or, where that has no number of "
        "its own, at least as many steps as on images.",
        low=0,
        high=100000,
    )
    action_epochs: int = flag(
        0, "Epochs of a judge of the action; 0: as the run's f_T'.", low=0, high=100000
    )
    eval_clips: int = flag(0, "Clips per test video; 0: as in the run.", low=0, high=50)
    crf: int = flag(23, "Quality of NAME+h264: x264's constant rate factor.", low=0, high=51)
    min_raw_leakage: float = flag(
        0.5,
        "On raw data the fresh attacker must come this share of the way from its floor to 1.",
        low=0.0,
        high=1.0,
        alias="raw_gate",
    )
