"""Every number of an experiment: its symbol in the paper, its unit, its default; and absl flags.

The defaults are the paper's; where the paper is silent, those of its released code. A `.flags` file
under `configs/` changes what an experiment changes. This is the only module that knows absl flags:
a frozen dataclass declares the flags of a command, one field each.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import app, flags

from tfanon.core import exit_status

# Flags that may change between two starts of a run, since they change no result. `processes` only
# changes rounding, as another machine does.
# They are left out when a run's folder is compared with a new command.
RUNTIME_FLAGS = (
    "workdir",
    "checkpoint_every",
    "log_every",
    "read_threads",
    "frame_cache_mib",
    "attack_every_epochs",
    "processes",
    "export",
)
# Flags that change neither f_A nor any evaluator or attacker.
NON_TRAINING_FLAGS = {*RUNTIME_FLAGS, "baselines"}


def flag(
    default: Any,
    text: str,
    choices: Sequence[str] | None = None,
    low: float | None = None,
    high: float | None = None,
    short: str | None = None,
    repeated: bool = False,
    alias: str | None = None,
    group: str | None = None,
) -> Any:
    """Declare a dataclass field that is also a command-line flag.

    Args:
        default: Default value; its type decides how the flag is parsed. A tuple is a
            comma-separated list.
        text: Help text.
        choices: The only values that are accepted.
        low: Smallest accepted number, inclusive.
        high: Largest accepted number, inclusive.
        short: One-letter name.
        repeated: The flag may be given several times; each value is kept whole, commas included.
        alias: Former name. It still works in this version, with a warning.
        group: Topic under which `--help` lists this field and those that follow it.

    Returns:
        A dataclass field.
    """
    metadata = {
        "help": text,
        "choices": choices,
        "low": low,
        "high": high,
        "short": short,
        "repeated": repeated,
        "alias": alias,
        "group": group,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a media file may be, for every command that reads media."""

    max_frame_pixels: int = flag(
        64_000_000,
        "Refuse files whose frames have more pixels; 8K has 33 million.",
        low=1,
        group="Limits on media files",
    )
    max_video_seconds: int = flag(6 * 3600, "Refuse videos of more seconds.", low=1)
    max_streams: int = flag(16, "Refuse files with more streams.", low=1)

    def limits(self) -> dict[str, int]:
        """Return the arguments of `media.limits.set_limits`."""
        return {
            "pixels": self.max_frame_pixels,
            "seconds": self.max_video_seconds,
            "streams": self.max_streams,
        }


@dataclasses.dataclass(frozen=True)
class Config(Limits):
    """One experiment. Field names are flag names; `run.flags` of a run holds them all."""

    workdir: str = flag(
        "runs/quickstart",
        "Folder of the run; re-running the same command resumes it.",
        group="Run",
    )
    seed: int = flag(
        0, "Seed of initial weights, shuffling and augmentation.", low=0, high=2**31 - 1
    )
    deterministic: bool = flag(
        False,
        "Bit-equal results on the same number of cores of the same kind of machine; slower on some "
        "GPUs.",
    )
    strategy: str = flag(
        "one_device",
        "tf.distribute strategy; multi_worker: one process per worker, each with its own TF_CONFIG "
        "and its own --workdir.",
        choices=("one_device", "mirrored", "multi_worker"),
    )
    precision: str = flag(
        "float32",
        "Keras dtype policy.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    jit_compile: bool = flag(
        False, "Compile training steps with XLA: often faster on a GPU, slower on a CPU."
    )
    checkpoint_every: int = flag(200, "Steps between two checkpoints.", low=1)
    log_every: int = flag(20, "Steps between two points of a TensorBoard curve.", low=1)
    processes: int = flag(
        1,
        "Number of processes that share the cores: while one trains f_A, the others evaluate the "
        "baselines. Each needs its own memory; rounding depends on the cores per process.",
        low=1,
        high=64,
    )
    export: bool = flag(True, "Export f_A at the end; tfanon.export does it later.")
    attack_every_epochs: int = flag(
        0,
        "Run a small privacy attack every N epochs of adversarial training; 0 disables it.",
        low=0,
        alias="attack_every",
    )

    data_dir: str = flag(
        "data",
        "Folder that holds the data sets; synthetic data is written there.",
        group="Data",
    )
    data_format: str = flag(
        "folder",
        "folder: files as their authors distribute them; tfds: data sets that `tfanon.data build` "
        "wrote to <data_dir>/tfds.",
        choices=("folder", "tfds"),
    )
    tfds_config: str = flag(
        "jpeg", "--data_format=tfds: configuration of the builders, such as encoded or jpeg."
    )
    clip_source: str = flag(
        "synthetic", "Data set of the action clips X_action: a file of tfanon/data/sources."
    )
    image_source: str = flag(
        "synthetic", "Data set of the private images X_privacy: a file of tfanon/data/sources."
    )
    clip_folder: str = flag("", "Folder of the clips in --data_dir; empty: name of the source.")
    image_folder: str = flag("", "Folder of the images in --data_dir; empty: name of the source.")
    eval_clip_source: str = flag(
        "",
        "Novel actions: data set of the action evaluator and of attacks on clips; empty: "
        "--clip_source.",
        alias="judge_clip_source",
    )
    test_clip_source: str = flag(
        "", "Data set of the test clips; empty: that of the action evaluator."
    )
    test_image_source: str = flag("", "Data set of the test images; empty: --image_source.")
    split_number: int = flag(
        1, "Number of the official split of UCF101, HMDB51 and their VP sets.", low=1, high=3
    )
    attribute_set: str = flag(
        "vispr1",
        "Private attributes of vispr (Table 4 of the paper) and of pa_hmdb51.",
        choices=("vispr1", "vispr2", "pa_hmdb51", "vita"),
    )
    attack_clips: bool = flag(
        False, "Attack the private labels of the clips, too, not only those of the images."
    )
    train_on_test_clips: bool = flag(
        False,
        "HMDB51: also train on the clips of PA-HMDB51, on which privacy is tested, as the paper "
        "does. This leaks test data into training.",
        alias="paper_protocol",
    )
    action_column: str = flag("action", "labelled_folder: column of the action.")
    split_column: str = flag(
        "split",
        "labelled_folder: column that says train or test, for the clips; or COLUMN=VALUE, such as "
        "actor=ann: test on these rows and train on all others.",
    )
    group_column: str = flag(
        "",
        "labelled_folder: column that identifies the person in a clip, so that training and "
        "validation split of the action evaluator have no person in common. Empty: each row is its "
        "own group.",
    )
    image_split_column: str = flag("split", "labelled_folder: as --split_column, for the images.")
    private_columns: tuple[str, ...] = flag(
        (),
        "labelled_folder: private columns of the images; 'age:18:40' cuts a number into bands.",
    )
    clip_private_columns: tuple[str, ...] = flag(
        (), "labelled_folder: private columns of the clips, attacked like those of the images."
    )
    clip_private_split_column: str = flag(
        "split", "labelled_folder: split used for attacks on --clip_private_columns."
    )
    frames: int = flag(16, "T: frames of a clip.", low=1, high=256)
    stride: int = flag(
        4,
        "Video frames from one frame of a clip to the next; halved where a video is too short.",
        low=1,
        high=64,
    )
    resolution: int = flag(
        224, "Height and width of the networks' input, in pixels.", low=16, high=1024
    )
    min_crop: float = flag(
        0.6, "Smallest side of a training crop, as a fraction of the frame's.", low=0.1, high=1.0
    )
    eval_crop: float = flag(
        0.8,
        "Side of the centre crop in evaluation, as a fraction of the frame's.",
        low=0.1,
        high=1.0,
    )
    eval_clips: int = flag(5, "Clips per test video in evaluation, evenly spaced.", low=1, high=50)
    validation_split: float = flag(
        0.1,
        "Fraction of the training split that is held out to select the best epoch; with fewer than "
        "100 held-out examples the last epoch is used.",
        low=0.0,
        high=0.5,
        alias="held_out",
    )
    on_bad_video: str = flag(
        "skip",
        "An unreadable file stops the run (raise) or is replaced by the next one (skip).",
        choices=("raise", "skip"),
    )
    max_bad_fraction: float = flag(
        0.05, "Stop the run if more than this fraction of files is unreadable.", low=0.0, high=1.0
    )
    read_threads: int = flag(0, "Files read at once; 0: one per core, at most 16.", low=0, high=256)
    frame_cache_mib: int = flag(
        0,
        "Memory for decoded frames, in MiB, so that a small data set is decoded once instead of "
        "once per epoch.",
        low=0,
        high=2**20,
        alias="frame_memory",
    )

    anonymizer: str = flag("unetpp", "f_A: a file of tfanon/models/anonymizers.", group="Networks")
    anonymizer_width: float = flag(
        1.0, "Channels of f_A as a multiple of the paper's.", low=0.05, high=4.0
    )
    anonymizer_output: str = flag(
        "sigmoid", "Last activation of f_A.", choices=("sigmoid", "linear")
    )
    action_network: str = flag(
        "i3d_r50", "f_T, the action network: a file of tfanon/models/actions."
    )
    privacy_network: str = flag(
        "resnet50", "f_B, the privacy network: a file of tfanon/models/privacy."
    )
    anonymizer_weights: str = flag(
        "", "Initial weights of f_A: a .weights.h5 of tfanon.weights; empty: random."
    )
    action_weights: str = flag(
        "", "Initial weights of f_T: a .weights.h5 of tfanon.weights; empty: random."
    )
    privacy_weights: str = flag(
        "", "Initial weights of f_B: a .weights.h5 of tfanon.weights; empty: random."
    )
    eval_action_weights: str = flag(
        "",
        "Initial weights of f_T', the action evaluator: a .weights.h5 of tfanon.weights; empty: "
        "random.",
        alias="action_judge_weights",
    )
    attack_weights: str = flag(
        "",
        "Initial weights of f_B', the retrained attacker: a .weights.h5 of tfanon.weights; empty: "
        "random.",
        alias="privacy_judge_weights",
    )
    init_action_from_raw: bool = flag(
        False,
        "f_T starts from the action evaluator of raw clips, or from the network that "
        "--epochs_pretrain trains. The paper starts from Kinetics weights instead.",
        alias="warm_action",
    )
    eval_action_network: str = flag(
        "",
        "f_T', the network that evaluates utility; empty: as --action_network.",
        alias="action_judge",
    )
    attack_network: str = flag(
        "",
        "f_B', the network of retrained attackers; empty: as --privacy_network.",
        alias="privacy_judge",
    )
    baselines: tuple[str, ...] = flag(
        ("raw", "downsample", "blur"),
        "Anonymizers evaluated beside f_A, with options as in 'downsample:factor=2' or "
        "'blur:regions=hog'; tfanon/core/component_spec.py has the grammar.",
    )

    penalty_bound: float = flag(
        0.3,
        "B of Eq. 4: RMS change of a clip up to which there is no penalty, pixels in [0, 1].",
        low=0.0,
        high=1.0,
        group="Losses (Eq. 3 to 6)",
    )
    penalty_weight: float = flag(1.0, "lambda of Eq. 3: weight of the penalty.", low=0.0, high=1e6)
    penalty_reduction: str = flag(
        "clip",
        "Whether Eq. 4 takes one RMS per clip, per batch or per frame.",
        choices=("clip", "batch", "frame"),
    )
    utility_weight: float = flag(
        1.0, "Weight of L_T in Eq. 3; the paper has none.", low=0.0, high=1e6
    )
    budget_weight: float = flag(
        1.0, "Weight of L_B in Eq. 3; the paper has none.", low=0.0, high=1e6
    )
    temperature: float = flag(
        0.1, "Temperature of NT-Xent, inside h of Eq. 6.", low=1e-3, high=100.0
    )
    budget_batch_norm: str = flag(
        "inference",
        "Statistics of f_B's batch normalization in step 1: its moving averages (inference) or "
        "those of the batch. With inference f_A can mislead f_B by shifting the statistics instead "
        "of hiding anything.",
        choices=("inference", "batch"),
    )
    same_batch: bool = flag(
        False, "Step 2 uses the batch of step 1; Figure 1 of the paper takes the next one."
    )

    objective: str = flag(
        "penalty",
        "What f_A minimizes: a file of tfanon/training/objectives; penalty is Eq. 3.",
        group="Other objectives",
    )
    private_labels: str = flag(
        "images",
        "vita, stprivacy, mass: whose private attributes f_B learns.",
        choices=("images", "clips"),
    )
    ensemble: tuple[str, ...] = flag(
        (),
        "vita, stprivacy, mass: further privacy networks beside --privacy_network; f_A is trained "
        "against all of them.",
    )
    restart_every: int = flag(
        0,
        "Reinitialize f_B every N steps, as VITA does; 0: never.",
        low=0,
        high=10**9,
    )
    vita_variant: str = flag(
        "all_ones",
        "vita: f_A drives f_B to predict every attribute (all_ones), to be uncertain "
        "(negative_entropy), or away from the true labels (k_beam).",
        choices=("all_ones", "negative_entropy", "k_beam"),
    )
    temporal_weight: float = flag(
        0.1, "ted_spad: weight of its triplet loss in L_T.", low=0.0, high=1e6
    )
    triplet_margin: float = flag(1.0, "ted_spad: margin of the triplet loss.", low=0.0, high=100.0)
    suppressed: tuple[str, ...] = flag(
        (), "mass: private attributes to suppress, all others are kept; empty: suppress all."
    )
    kept_weight: float = flag(
        1.0, "mass: weight of the attributes that are kept.", low=0.0, high=1e6
    )

    epochs_reconstruct: int = flag(
        100,
        "Epochs of Eq. 5, in which f_A learns to reconstruct its input.",
        low=0,
        high=100000,
        group="Training schedule",
    )
    epochs_anonymize: int = flag(
        100, "e_anon of Algorithm 1: epochs of adversarial training.", low=0, high=100000
    )
    epochs_action: int = flag(
        100, "e_action of Algorithm 1: epochs of the action evaluator.", low=1, high=100000
    )
    epochs_pretrain: int = flag(
        0,
        "Pretrain the action evaluator for N epochs on raw clips; it then starts from these "
        "weights for every anonymizer, raw video included. The paper starts from Kinetics weights "
        "instead. 0: no pretraining.",
        low=0,
        high=100000,
    )
    epochs_privacy: int = flag(
        100, "e_privacy of Algorithm 1: epochs of retrained attackers.", low=1, high=100000
    )
    epochs_clip_privacy: int = flag(
        0,
        "Epochs of attackers on --clip_private_columns, whose clips are fewer than images; 0: as "
        "--epochs_privacy.",
        low=0,
        high=100000,
    )
    warmup_epochs: int = flag(
        5,
        "Epochs over which the learning rate of evaluators and attackers rises.",
        low=0,
        high=1000,
    )
    batch_reconstruct: int = flag(32, "Frames per step of Eq. 5.", low=1, high=65536)
    batch_clips: int = flag(8, "N of L_T: clips per batch of Algorithm 1.", low=1, high=65536)
    batch_pairs: int = flag(
        8, "N of Eq. 6: image pairs per batch of Algorithm 1.", low=1, high=65536
    )
    batch_action: int = flag(16, "Clips per step of the action evaluator.", low=1, high=65536)
    batch_privacy: int = flag(32, "Images per step of attackers.", low=1, high=65536)
    lr_reconstruct: float = flag(
        1e-3, "Learning rate of f_A in Eq. 5.", low=0.0, high=10.0, alias="rate_reconstruct"
    )
    lr_anonymizer: float = flag(
        4e-5,
        "alpha_A of Algorithm 1: learning rate of f_A.",
        low=0.0,
        high=10.0,
        alias="rate_anonymizer",
    )
    lr_action: float = flag(
        1e-4,
        "alpha_T of Algorithm 1: learning rate of f_T.",
        low=0.0,
        high=10.0,
        alias="rate_action",
    )
    lr_privacy: float = flag(
        1e-4,
        "alpha_B of Algorithm 1: learning rate of f_B.",
        low=0.0,
        high=10.0,
        alias="rate_privacy",
    )
    lr_eval_action: float = flag(
        1e-4,
        "Learning rate of the action evaluator.",
        low=0.0,
        high=10.0,
        alias="rate_action_judge",
    )
    lr_attack: float = flag(
        1e-3, "Learning rate of attackers.", low=0.0, high=10.0, alias="rate_privacy_judge"
    )

    @property
    def action_evaluator_network(self) -> str:
        """Name of the network f_T' that evaluates utility."""
        return self.eval_action_network or self.action_network

    @property
    def attacker_network(self) -> str:
        """Name of the network f_B' of attackers that do not choose their own."""
        return self.attack_network or self.privacy_network


def define_flags(options: type = Config, holder: flags.FlagValues = flags.FLAGS) -> None:
    """Declare one absl flag per field of a dataclass.

    Args:
        options: A dataclass whose fields were made by `flag`.
        holder: Where the flags are declared; the process-wide flags unless a test or a parser of
            flagfiles brings its own.
    """
    # In __dict__, since absl takes an attribute of FlagValues for a flag.
    former = holder.__dict__.setdefault("former_names", {})

    def expand(words: Sequence[str], force_gnu: bool = True) -> list[str]:
        # absl's second argument has no effect here: flags may always follow other words.
        expanded = expand_flagfiles(words)
        # What follows "--" is no flag and keeps its name.
        count = expanded.index("--") if "--" in expanded else len(expanded)
        for word in expanded[:count]:
            name = _find_former_name(word, former)
            if name:
                _warn_of_former_name(name, former[name])
        renamed = [rename_flag(word, former) for word in expanded[:count]]
        return [*renamed, *expanded[count:]]

    # absl's own method takes a byte-order mark for a part of the first line, and knows no
    # former names.
    holder.__dict__["read_flags_from_files"] = expand
    for field in dataclasses.fields(options):
        _define_flag(field.name, field.default, field.metadata, holder)
        # --helpshort lists the flags that are registered for the program.
        holder.register_key_flag_for_module(sys.argv[0], holder[field.name])
        if field.metadata["alias"]:
            former[field.metadata["alias"]] = field.name


def rename_flag(word: str, former: Mapping[str, str]) -> str:
    """Replace the former name of a flag in one word of a command line.

    Args:
        word: Such as `--held_out=.1` or `--nowarm_action`.
        former: Former name to current name.

    Returns:
        The word with the current name; unchanged if it has no former name.
    """
    name = _find_former_name(word, former)
    return word.replace(name, former[name], 1) if name else word


def _find_former_name(word: str, former: Mapping[str, str]) -> str:
    """Return the former flag name in one word of a command line; empty without one."""
    name = word.lstrip("-").partition("=")[0]
    if not word.startswith("-") or word.startswith("---"):
        return ""
    if name in former:
        return name
    # A boolean that is switched off; a former name may itself begin with "no".
    positive = name.removeprefix("no")
    is_negation = positive != name and "=" not in word
    return positive if is_negation and positive in former else ""


_WARNED: set[str] = set()


def _warn_of_former_name(name: str, current: str) -> None:
    """Print one line per former name and process."""
    if name in _WARNED:
        return
    _WARNED.add(name)
    print(
        f"Warning: --{name} is now called --{current}; the old name will stop working in the next "
        "version.",
        file=sys.stderr,
    )


def list_former_names(options: type = Config) -> dict[str, str]:
    """Return former flag names of a dataclass, each with its current name."""
    fields = dataclasses.fields(options)
    return {field.metadata["alias"]: field.name for field in fields if field.metadata["alias"]}


def _define_flag(
    name: str, default: Any, about: Mapping[str, Any], holder: flags.FlagValues
) -> None:
    """Declare the absl flag whose kind fits the type of the default."""
    low, high, text = about["low"], about["high"], about["help"]
    more = {"flag_values": holder, "short_name": about["short"]}
    # Choices first, since their defaults are strings; bool before int, since it is a subclass;
    # repeated before other tuples.
    if about["choices"]:
        flags.DEFINE_enum(name, default, list(about["choices"]), text, **more)
    elif isinstance(default, bool):
        flags.DEFINE_boolean(name, default, text, **more)
    elif isinstance(default, int):
        flags.DEFINE_integer(name, default, text, lower_bound=low, upper_bound=high, **more)
    elif isinstance(default, float):
        flags.DEFINE_float(name, default, text, lower_bound=low, upper_bound=high, **more)
    elif about["repeated"]:
        flags.DEFINE_multi_string(name, list(default), text, **more)
    elif isinstance(default, tuple):
        flags.DEFINE_list(name, list(default), text, **more)
    else:
        flags.DEFINE_string(name, default, text, **more)


def expand_flagfiles(words: Sequence[str]) -> list[str]:
    """Replace each `--flagfile=FILE` of a command line by the flags in the file.

    A flagfile has one flag per line and may name further flagfiles; empty lines and lines that
    begin with `#` or `//` are ignored. Flags may follow other words.

    Raises:
        flags.Error: A flagfile is missing, is not UTF-8 text or includes itself.
    """
    expanded: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*expanded, word, *rest]
        if word in ("--flagfile", "-flagfile"):
            if not rest:
                raise flags.IllegalFlagValueError("--flagfile needs the name of a file.")
            word = f"{word}={rest.pop(0)}"
        expanded += _expand_word(word, ())
    return expanded


def _expand_word(word: str, including: tuple[str, ...]) -> list[str]:
    """Return the flags that one word stands for.

    Args:
        word: One word of a command line or line of a flagfile.
        including: The flagfiles that include it, outermost first.
    """
    flag_name, _, path = word.partition("=")
    if flag_name not in ("--flagfile", "-flagfile"):
        return [word]
    # absl ignores an empty name too.
    if not path.strip():
        return []
    path = os.path.expanduser(path.strip())
    # absl would warn and ignore the second inclusion.
    if path in including:
        circle = " includes ".join([*including, path])
        raise flags.Error(f"The flagfile {path} includes itself: {circle}.")
    try:
        lines = _read_flag_lines(path)
    except ValueError as error:
        raise flags.CantOpenFlagFileError(f"--flagfile={error}") from None
    expanded: list[str] = []
    for line in lines:
        expanded += _expand_word(line, (*including, path))
    return expanded


def _read_flag_lines(path: str | os.PathLike) -> list[str]:
    """Return the lines of a flagfile that hold flags; raise ValueError if it is not a text file."""
    try:
        text = read_text(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}.") from None
    # Not splitlines(), which also breaks at characters that a path may contain.
    lines = [line.strip() for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith(("#", "//"))]


def read_text(path: str | os.PathLike) -> str:
    """Read a text file that people write, whichever editor and system they use.

    UTF-8 with or without a byte-order mark; every line ending is returned as a line feed.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not UTF-8; the message names the file and the line.
    """
    try:
        return pathlib.Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = f"{path}: line {line} is not UTF-8 text; save the file as UTF-8."
        raise ValueError(problem) from None


def from_flags(options: type = Config, holder: flags.FlagValues = flags.FLAGS) -> Any:
    """Build a dataclass from parsed flags; lists become tuples."""
    values = {}
    for field in dataclasses.fields(options):
        value = holder[field.name].value
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return options(**values)


def from_flagfile(path: str | os.PathLike) -> Config:
    """Read the Config that `write_flagfile` wrote, with the flag names of this or the last version.

    Raises:
        ValueError: The file is missing or holds something else.
    """
    # Without a warning: the user did not write a run's own flagfile.
    former = list_former_names()
    words = [rename_flag(line, former) for line in _read_flag_lines(path)]
    try:
        return parse_flags(words, Config)[0]
    except ValueError as error:
        raise ValueError(f"{path} was written by another version of tfanon: {error}") from None


def with_flags(config: Config, given: Mapping[str, str]) -> Config:
    """Return a Config with other values, parsed as on the command line.

    Args:
        config: The values of all other fields.
        given: Text of each value, such as `{"penalty_bound": ".1"}`; former names are accepted.

    Raises:
        ValueError: An unknown flag or an invalid value, in absl's words.
    """
    former = list_former_names()
    (parsed,) = parse_flags([f"--{name}={value}" for name, value in given.items()], Config)
    # The flags that are not given have their defaults in `parsed`, not the values of `config`.
    names = [former.get(name, name) for name in given]
    return dataclasses.replace(config, **{name: getattr(parsed, name) for name in names})


def list_changed_flags(config: Config) -> list[str]:
    """Return the flags, as on a command line, that differ from the defaults."""
    default = Config()
    changed = []
    for name, value in dataclasses.asdict(config).items():
        if value != getattr(default, name):
            changed.append(_format_flag(name, value))
    return changed


def parse_flags(words: Sequence[str], *kinds: type) -> list[Any]:
    """Parse the words of a command line into dataclasses.

    Args:
        words: Flags alone, `--flagfile=FILE` included.
        kinds: Dataclasses whose fields were made by `flag`.

    Returns:
        One instance per kind.

    Raises:
        ValueError: A word is not one of their flags, or a value is invalid.
    """
    holder = flags.FlagValues()
    for options in kinds:
        define_flags(options, holder)
    try:
        exit_status.reject_positional_arguments(holder(["", *words])[1:])
    except (flags.Error, app.UsageError) as error:
        raise ValueError(str(error)) from None
    return [from_flags(options, holder) for options in kinds]


def write_flagfile(config: Any, path: str | os.PathLike) -> None:
    """Write every field so that `--flagfile=PATH` replays the run."""
    values = dataclasses.asdict(config)
    lines = [f"{_format_flag(name, value)}\n" for name, value in values.items()]
    pathlib.Path(path).write_text("".join(lines), encoding="utf-8")


def list_differences(
    config: Any, path: str | os.PathLike, ignored: Sequence[str] = RUNTIME_FLAGS
) -> list[str]:
    """Compare a Config with the flagfile of a run.

    Args:
        config: The requested values.
        path: Flagfile of the run, written by this or the last version.
        ignored: Flags that may differ.

    Returns:
        One line per field that makes this another experiment, such as
        `--resolution=64 there, --resolution=48 asked for`, where "there" is the run.
    """
    former = list_former_names(type(config))
    lines = read_text(path).split("\n")
    recorded = [rename_flag(line, former) for line in lines]
    by_name = {}
    for line in recorded:
        # "--noexport" records the flag "export"; no flag's name begins with "no".
        by_name[line.lstrip("-").removeprefix("no").split("=")[0]] = line
    differences = []
    for name, value in dataclasses.asdict(config).items():
        # Texts are compared: both were formatted by the same function.
        line = _format_flag(name, value)
        if line not in recorded and name not in ignored:
            differences.append(f"{by_name.get(name, 'nothing')} there, {line} asked for")
    return differences


def _format_flag(name: str, value: Any) -> str:
    """Return a flag as on a command line."""
    if isinstance(value, bool):
        return f"--{'' if value else 'no'}{name}"
    text = ",".join(value) if isinstance(value, tuple) else value
    return f"--{name}={text}"
