"""Options of `tfanon.evaluate`; field names are flag names."""

import dataclasses

from tfanon.core.config import flag

# Flags that may differ between two calls in one folder: they add attacks, and change none that is
# done.
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
    """What is attacked, by which attacks, on which data, with which budget."""

    run_dir: str = flag(
        "",
        "Folder of a finished run: the --workdir of tfanon.train.",
        group="What to evaluate",
    )
    protocol: str = flag("quick", "Which attacks to run: a file of tfanon/attacks/protocols.")
    anonymizers: tuple[str, ...] = flag(
        (),
        "Anonymizers to attack: f_A of the run, fixed ones by name, SavedModel folders, .tflite "
        "files; NAME+h264 is the output of NAME after H.264 compression. Empty: the run's "
        "baselines and f_A.",
    )
    crf: int = flag(23, "Constant rate factor of NAME+h264.", low=0, high=51)
    attackers: tuple[str, ...] = flag(
        (),
        "Attacks to run: files of tfanon/attacks, with options as in reconstruction:width=0.5; "
        "empty: those of the protocol.",
        group="Attackers and evaluators",
    )
    networks: tuple[str, ...] = flag(
        (), "Networks of attackers and of action evaluators; empty: those of the protocol."
    )
    weights_dir: str = flag(
        "",
        "Folder of NETWORK.weights.h5 files that tfanon.weights wrote: attackers start from these "
        "too, not only from scratch.",
    )
    attack_epochs: int = flag(
        0, "Epochs of an attack; 0: as the run's --epochs_privacy.", low=0, high=100000
    )
    attack_clip_epochs: int = flag(
        0,
        "Epochs of an attack on clips; 0: as the run's --epochs_clip_privacy, or if that is 0, at "
        "least as many steps as attacks on images take.",
        low=0,
        high=100000,
    )
    action_epochs: int = flag(
        0, "Epochs of an action evaluator; 0: as the run's --epochs_action.", low=0, high=100000
    )
    min_raw_leakage: float = flag(
        0.5,
        "Positive control: on raw video the retrained attacker must reach at least this fraction "
        "of the way from chance level to 1.",
        low=0.0,
        high=1.0,
        alias="raw_gate",
    )
    reuse_from: tuple[str, ...] = flag(
        (),
        "Folders of other runs: their finished attacks on raw video, noise and the same "
        "anonymizers, made with equal flags, are reused.",
        alias="share",
    )
    data_dir: str = flag("", "Folder of the data sets; empty: as in the run.", group="Data")
    eval_clip_source: str = flag(
        "",
        "Novel actions: data set of the action evaluator and of attacks on clips; empty: as in the "
        "run.",
        alias="judge_clip_source",
    )
    test_clip_source: str = flag(
        "", "Data set whose test clips the action evaluator is tested on; empty: as in the run."
    )
    test_image_source: str = flag(
        "", "Data set whose test images are attacked; empty: as in the run."
    )
    attribute_set: str = flag(
        "", "Novel attributes: vispr1, vispr2, pa_hmdb51 or vita; empty: as in the run."
    )
    clips: bool = flag(
        True, "Also attack the private attributes of clips, where the data set has them."
    )
    eval_clips: int = flag(0, "Clips per test video; 0: as in the run.", low=0, high=50)
