"""Every number of an experiment: its symbol in the paper, its unit, its default. The only file that knows absl flags.

The defaults are the paper's; where the paper is silent, those of its released code. A `.flags` file under `configs/`
changes what an experiment changes.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from tfanon.core import exit_status

# What may change from one start of a run to the next, since it changes no result; processes round as other machines do.
FREE = (
    "workdir",
    "checkpoint_every",
    "log_every",
    "read_threads",
    "frame_memory",
    "attack_every",
    "processes",
    "export",
)
APART = {*FREE, "baselines"}  # what changes no f_A and no judge


def flag(default, text, choices=None, low=None, high=None, short=None, repeated=False, alias=None):
    """A dataclass field that also becomes a flag; low and high are inclusive.  short: its one-letter name.

    repeated: a tuple of what is given each time, commas and all, instead of a list with commas given once.
    alias: the flag's former name, which --help does not show.
    """
    metadata = {
        "help": text,
        "choices": choices,
        "low": low,
        "high": high,
        "short": short,
        "repeated": repeated,
        "alias": alias,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a media file may be, for every command that reads some."""

    max_frame_pixels: int = flag(
        64_000_000, "A file with larger frames is unreadable; 8K has 33 million.", low=1
    )
    max_video_seconds: int = flag(6 * 3600, "A longer video is unreadable.", low=1)
    max_streams: int = flag(16, "A file with more streams is unreadable.", low=1)

    def limits(self):
        """The arguments of media.limits.allow."""
        return {
            "pixels": self.max_frame_pixels,
            "seconds": self.max_video_seconds,
            "streams": self.max_streams,
        }


@dataclasses.dataclass(frozen=True)
class Config(Limits):
    """One experiment. Field names are flag names; `run.flags` in the run's folder holds them all."""

    # The run.
    workdir: str = flag(
        "runs/quickstart", "Folder of the run; the same command continues what it finds there."
    )
    seed: int = flag(0, "Seed of initial weights, order and augmentation.", low=0, high=2**31 - 1)
    deterministic: bool = flag(
        False, "Bit-equal results on as many cores of one kind of machine; slower on some GPUs."
    )
    strategy: str = flag(
        "one_device",
        "tf.distribute strategy; multi_worker: one process per worker, each with its "
        "TF_CONFIG and a --workdir of its own.",
        choices=("one_device", "mirrored", "multi_worker"),
    )
    precision: str = flag(
        "float32", "Keras dtype policy.", choices=("float32", "mixed_bfloat16", "mixed_float16")
    )
    jit_compile: bool = flag(False, "Compile the steps with XLA: pays on a GPU, costs on a CPU.")
    checkpoint_every: int = flag(200, "Steps between two checkpoints.", low=1)
    log_every: int = flag(20, "Steps between two points of a TensorBoard curve.", low=1)
    processes: int = flag(
        1,
        "Processes, each on its share of the cores: while one trains f_A, the others judge the "
        "baselines. Memory grows with each; sums round by how many cores share them.",
        low=1,
        high=64,
    )
    export: bool = flag(True, "Export f_A at the end; python -m tfanon.export does it later.")
    attack_every: int = flag(
        0, "Epochs of Algorithm 1 from one attack by a fresh f_B' to the next; 0: never.", low=0
    )

    # Data.
    data_dir: str = flag(
        "data", "Folder that holds the data sets; the synthetic ones are written there."
    )
    data_format: str = flag(
        "folder",
        "Files as their authors distribute them, or data sets built of them in <data_dir>/tfds.",
        choices=("folder", "tfds"),
    )
    tfds_config: str = flag(
        "jpeg", "--data_format=tfds: the builders' configuration, such as encoded or jpeg."
    )
    clip_source: str = flag("synthetic", "Data set of X_action: a file of tfanon/data/sources.")
    image_source: str = flag("synthetic", "Data set of X_privacy: a file of tfanon/data/sources.")
    clip_folder: str = flag("", "Folder of the clips below --data_dir; empty: named as the source.")
    image_folder: str = flag(
        "", "Folder of the images below --data_dir; empty: named as the source."
    )
    judge_clip_source: str = flag(
        "", "Novel actions: data set of f_T' and of attacks on clips; empty: --clip_source."
    )
    test_clip_source: str = flag(
        "", "Data set whose test clips f_T' is measured on; empty: that of f_T'."
    )
    test_image_source: str = flag(
        "", "Data set whose test images f_B' is measured on; empty: --image_source."
    )
    split_number: int = flag(
        1, "UCF101, HMDB51 and their VP sets: the official split.", low=1, high=3
    )
    attribute_set: str = flag(
        "vispr1",
        "Private attributes of vispr (the paper's Table 4) and of pa_hmdb51.",
        choices=("vispr1", "vispr2", "pa_hmdb51", "vita"),
    )
    attack_clips: bool = flag(
        False, "The clips' own private labels are attacked besides those of the images."
    )
    paper_protocol: bool = flag(
        False, "Train on HMDB51 with the clips of PA-HMDB51, on which it is tested: a leak."
    )
    action_column: str = flag("action", "labelled_folder: column of the action.")
    split_column: str = flag(
        "split",
        "labelled_folder: column that says train or test, for the clips; or COLUMN=VALUE, "
        "the rows to test on, such as actor=ann: all others are trained on.",
    )
    group_column: str = flag(
        "",
        "labelled_folder: column of who is in a clip; the slice that selects the epoch of "
        "f_T' then shows nobody who is trained on. Empty: rows stand for themselves.",
    )
    image_split_column: str = flag("split", "labelled_folder: the same for the images.")
    private_columns: tuple = flag(
        (),
        "labelled_folder: columns of the images that are private; 'age:18:40' cuts a number into bands.",
    )
    clip_private_columns: tuple = flag(
        (),
        "labelled_folder: columns of the clips that are private; they are attacked besides the images.",
    )
    clip_private_split_column: str = flag(
        "split", "labelled_folder: split under which those columns are attacked."
    )
    frames: int = flag(16, "T: frames of a clip.", low=1, high=256)
    stride: int = flag(
        4,
        "Frames from one frame of a clip to the next; halved where a video is too short.",
        low=1,
        high=64,
    )
    resolution: int = flag(224, "H and W of what the networks see, in pixels.", low=16, high=1024)
    min_crop: float = flag(
        0.6, "Smallest side of a training crop, as a share of the frame's.", low=0.1, high=1.0
    )
    eval_crop: float = flag(0.8, "Side of the centre crop in evaluation.", low=0.1, high=1.0)
    eval_clips: int = flag(5, "Clips per video in evaluation, evenly spread.", low=1, high=50)
    held_out: float = flag(
        0.1,
        "Share of the training split, never trained on, that selects the epoch; under 100 "
        "examples the last one stands.",
        low=0.0,
        high=0.5,
    )
    on_bad_video: str = flag(
        "skip",
        "An unreadable file stops the run, or the next one takes its place.",
        choices=("raise", "skip"),
    )
    max_bad_fraction: float = flag(
        0.05, "Share of unreadable files above which the run stops.", low=0.0, high=1.0
    )
    read_threads: int = flag(
        0, "Files read at once; 0: as many as there are cores, up to 16.", low=0, high=256
    )
    frame_memory: int = flag(
        0,
        "MiB of decoded frames to keep, so that a small data set is decoded once and not in "
        "every epoch.",
        low=0,
        high=2**20,
    )

    # Networks.
    anonymizer: str = flag("unetpp", "f_A: a file of tfanon/models/anonymizers.")
    anonymizer_width: float = flag(
        1.0, "Channels of f_A as a share of the paper's.", low=0.05, high=4.0
    )
    anonymizer_output: str = flag(
        "sigmoid", "Last activation of f_A.", choices=("sigmoid", "linear")
    )
    action_network: str = flag("i3d_r50", "f_T: a file of tfanon/models/actions.")
    privacy_network: str = flag("resnet50", "f_B: a file of tfanon/models/privacy.")
    anonymizer_weights: str = flag(
        "", "f_A starts from this .weights.h5 of tfanon.weights; empty: at random."
    )
    action_weights: str = flag(
        "", "f_T starts from this .weights.h5 of tfanon.weights; empty: at random."
    )
    privacy_weights: str = flag(
        "", "f_B starts from this .weights.h5 of tfanon.weights; empty: at random."
    )
    action_judge_weights: str = flag(
        "", "f_T' starts from this .weights.h5 of tfanon.weights; empty: at random."
    )
    privacy_judge_weights: str = flag(
        "", "f_B' starts from this .weights.h5 of tfanon.weights; empty: at random."
    )
    warm_action: bool = flag(
        False,
        "f_T starts as the judge of raw clips, or where --epochs_pretrain leaves it: stands in "
        "for weights trained on Kinetics.",
    )
    action_judge: str = flag("", "f_T', which measures the action; empty: as --action_network.")
    privacy_judge: str = flag("", "f_B', which measures the leakage; empty: as --privacy_network.")
    baselines: tuple = flag(
        ("raw", "downsample", "blur"),
        "Anonymizers measured beside f_A, with settings "
        "as in 'downsample:factor=2' or 'blur:regions=hog'; tfanon/core/component_spec.py has the grammar.",
    )

    # Losses, Eq. 3 to 6.
    penalty_bound: float = flag(
        0.3,
        "B of Eq. 4: RMS change a clip may undergo for free, pixels in [0, 1].",
        low=0.0,
        high=1.0,
    )
    penalty_weight: float = flag(1.0, "lambda of Eq. 3.", low=0.0, high=1e6)
    penalty_reduction: str = flag(
        "clip", "What one RMS of Eq. 4 is taken over.", choices=("clip", "batch", "frame")
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
        "Statistics that f_B uses in step 1; 'inference' lets f_A win by leaving the moving averages.",
        choices=("inference", "batch"),
    )
    same_batch: bool = flag(
        False, "Step 2 sees the batch of step 1; the paper's Figure 1 takes the next one."
    )

    # Other objectives than Eq. 3.
    objective: str = flag(
        "penalty", "What f_A minimises: a file of tfanon/training/objectives; penalty is Eq. 3."
    )
    private_labels: str = flag(
        "images",
        "vita, stprivacy, mass: whose private attributes f_B learns.",
        choices=("images", "clips"),
    )
    ensemble: tuple = flag(
        (), "vita, stprivacy, mass: further f_B's beside --privacy_network, all fooled at once."
    )
    restart_every: int = flag(
        0, "Steps after which f_B starts afresh, as in VITA; 0: never.", low=0, high=10**9
    )
    vita_variant: str = flag(
        "all_ones",
        "vita: what f_A drives f_B to; k_beam: away from the truth.",
        choices=("all_ones", "negative_entropy", "k_beam"),
    )
    temporal_weight: float = flag(
        0.1, "ted_spad: weight of its triplet loss within L_T.", low=0.0, high=1e6
    )
    triplet_margin: float = flag(1.0, "ted_spad: margin of the triplet loss.", low=0.0, high=100.0)
    suppressed: tuple = flag(
        (), "mass: names of the private attributes to suppress, others are kept; empty: all."
    )
    kept_weight: float = flag(
        1.0, "mass: weight of the attributes that are kept.", low=0.0, high=1e6
    )

    # Phases.
    epochs_reconstruct: int = flag(100, "Epochs of Eq. 5.", low=0, high=100000)
    epochs_anonymize: int = flag(100, "e_anon of Algorithm 1.", low=0, high=100000)
    epochs_action: int = flag(100, "e_action of Algorithm 1: epochs of f_T'.", low=1, high=100000)
    epochs_pretrain: int = flag(
        0,
        "Epochs on raw clips in which f_T' gets the weights that it starts from behind every "
        "anonymizer, raw video too, as published weights come from Kinetics; 0: it starts afresh.",
        low=0,
        high=100000,
    )
    epochs_privacy: int = flag(100, "e_privacy of Algorithm 1: epochs of f_B'.", low=1, high=100000)
    epochs_clip_privacy: int = flag(
        0,
        "Epochs of f_B' on --clip_private_columns, whose clips are fewer than images; 0: as --epochs_privacy.",
        low=0,
        high=100000,
    )
    warmup_epochs: int = flag(
        5, "Epochs over which the rate of f_T' and f_B' rises.", low=0, high=1000
    )
    batch_reconstruct: int = flag(32, "Frames per step of Eq. 5.", low=1, high=65536)
    batch_clips: int = flag(8, "N of L_T: clips per batch of Algorithm 1.", low=1, high=65536)
    batch_pairs: int = flag(
        8, "N of Eq. 6: image pairs per batch of Algorithm 1.", low=1, high=65536
    )
    batch_action: int = flag(16, "Clips per step of f_T'.", low=1, high=65536)
    batch_privacy: int = flag(32, "Images per step of f_B'.", low=1, high=65536)
    rate_reconstruct: float = flag(1e-3, "Adam's rate for f_A in Eq. 5.", low=0.0, high=10.0)
    rate_anonymizer: float = flag(4e-5, "alpha_A of Algorithm 1.", low=0.0, high=10.0)
    rate_action: float = flag(1e-4, "alpha_T of Algorithm 1.", low=0.0, high=10.0)
    rate_privacy: float = flag(1e-4, "alpha_B of Algorithm 1.", low=0.0, high=10.0)
    rate_action_judge: float = flag(1e-4, "Adam's rate for f_T'.", low=0.0, high=10.0)
    rate_privacy_judge: float = flag(1e-3, "Adam's rate for f_B'.", low=0.0, high=10.0)

    @property
    def action_judge_network(self):
        """Name of the network that f_T' is."""
        return self.action_judge or self.action_network

    @property
    def privacy_judge_network(self):
        """Name of the network that f_B' is, and an attacker where nobody names another."""
        return self.privacy_judge or self.privacy_network


def define_flags(settings=Config, holder=flags.FLAGS):
    """Declare one absl flag per field of a dataclass of settings; called once, by an entry point."""
    # absl's own method takes a byte-order mark for a part of the first line.
    holder.__dict__["read_flags_from_files"] = expand_flagfiles
    for field in dataclasses.fields(settings):
        _define(field.name, field.default, field.metadata, holder)
        holder.register_key_flag_for_module(
            sys.argv[0], holder[field.name]
        )  # --help of the command shows it
        if field.metadata["alias"]:
            flags.DEFINE_alias(field.metadata["alias"], field.name, holder)


def _define(name, default, about, holder):
    low, high, text = about["low"], about["high"], about["help"]
    more = {"flag_values": holder, "short_name": about["short"]}
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


def expand_flagfiles(words: Sequence[str], force_gnu: bool = True) -> list[str]:
    """The words of a command line, with the flags of the file in place of each --flagfile=FILE.

    A flagfile has one flag in each line and may name further flagfiles; empty lines and those that
    begin with # or // say nothing. Stands in for read_flags_from_files of absl's FlagValues, whose
    second argument changes nothing here: flags may follow other words.

    Raises:
        flags.Error: A flagfile is missing, is no UTF-8 text or names itself.
    """
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*found, word, *rest]
        if word in ("--flagfile", "-flagfile"):
            if not rest:
                raise flags.IllegalFlagValueError("--flagfile needs the name of a file.")
            word = f"{word}={rest.pop(0)}"
        found += _expand(word, ())
    return found


def _expand(word, above):
    """The flags that one word stands for.  above: the flagfiles that it was found in."""
    flag_name, _, path = word.partition("=")
    if flag_name not in ("--flagfile", "-flagfile"):
        return [word]
    if not path.strip():
        return []
    path = os.path.expanduser(path.strip())
    if path in above:
        raise flags.Error(f"The flagfile {path} names itself: {' names '.join([*above, path])}.")
    try:
        words = _read_flags(path)
    except ValueError as error:
        raise flags.CantOpenFlagFileError(f"--flagfile={error}") from None
    return [flag for word in words for flag in _expand(word, (*above, path))]


def _read_flags(path):
    """The lines of a flagfile that say something.  Raises ValueError where it is no text file."""
    try:
        lines = [line.strip() for line in read_text(path).split("\n")]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}.") from None
    return [line for line in lines if line and not line.startswith(("#", "//"))]


def read_text(path: str | os.PathLike) -> str:
    """The text of a file that people write, whichever editor and system they write it with.

    UTF-8 with or without a byte-order mark; lines that end in any way end in a line feed here.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no UTF-8; the message names the file and the line.
    """
    try:
        return pathlib.Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = f"{path}: line {line} is not UTF-8 text; save the file as UTF-8."
        raise ValueError(problem) from None


def from_flags(settings=Config, holder=flags.FLAGS):
    """The settings that the parsed flags describe."""
    values = {field.name: holder[field.name].value for field in dataclasses.fields(settings)}
    return settings(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
    )


def from_flagfile(path):
    """The Config that write_flagfile wrote.  Raises ValueError where the file is missing or holds something else."""
    words = _read_flags(path)
    try:
        return parsed(words, Config)[0]
    except ValueError as error:
        raise ValueError(f"{path} was written by another version of tfanon: {error}") from None


def with_flags(config, given):
    """A Config with other values, as the command line would take them.

    given: {"penalty_bound": ".1"}.  Raises ValueError as absl words it: for a name that is no flag, for a value that is
    none of it.
    """
    (found,) = parsed([f"--{name}={value}" for name, value in given.items()], Config)
    return dataclasses.replace(config, **{name: getattr(found, name) for name in given})


def changed_lines(config):
    """The flags, as on a command line, in which a Config is not the default."""
    return [
        _line(name, value) for name, value in _items(config) if value != getattr(Config(), name)
    ]


def parsed(words, *kinds):
    """The settings that the words of a command line describe, one of each kind.

    kinds: dataclasses of settings.  Raises ValueError where a word is none of their flags or no value of it.
    """
    holder = flags.FlagValues()
    for settings in kinds:
        define_flags(settings, holder)
    try:
        exit_status.refuse_words(holder(["", *words])[1:])
    except (flags.Error, app.UsageError) as error:
        raise ValueError(str(error)) from None
    return [from_flags(settings, holder) for settings in kinds]


def write_flagfile(config, path):
    """Write every field so that `--flagfile=path` replays the run."""
    text = "".join(f"{_line(name, value)}\n" for name, value in _items(config))
    pathlib.Path(path).write_text(text, encoding="utf-8")


def differences(config, path, free=FREE):
    """Lines '--flag=X there, --flag=Y asked for' for each field in which the flagfile `path` is another experiment."""
    recorded = read_text(path).split("\n")
    asked = {_line(name, value): name for name, value in _items(config)}
    was = {line.lstrip("-").removeprefix("no").split("=")[0]: line for line in recorded}
    return [
        f"{was.get(name, 'nothing')} there, {line} asked for"
        for line, name in asked.items()
        if line not in recorded and name not in free
    ]


def _items(config):
    return dataclasses.asdict(config).items()


def _line(name, value):
    if isinstance(value, bool):
        return f"--{'' if value else 'no'}{name}"
    return f"--{name}={','.join(value) if isinstance(value, tuple) else value}"
