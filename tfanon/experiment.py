"""A whole run: Algorithm 1, its evaluation beside the baselines, the exported anonymizer, all in one folder."""

import contextlib
import pathlib

import keras
import tensorflow as tf

from tfanon import attacks
from tfanon.core import checkpoint, component_spec, files, processes, registry
from tfanon.core import config as settings
from tfanon.data import pipeline, splits
from tfanon.exporting import exporter
from tfanon.media import frame_cache, limits
from tfanon.pretrained import load_pretrained
from tfanon.summaries import results_table, samples, tensorboard
from tfanon.training import distribution, phase_cache, phases

SCHEMA_VERSION = 1
JUDGE = ("-m", "tfanon.baseline_worker")  # what the other processes of a run are


def run(config):
    """Train, judge and export; returns the results that `results.json` holds.

    Run again with the same config it goes on where it was stopped.  Raises ValueError where a setting, a file or the
    folder does not fit, FloatingPointError where a loss is not finite, fitting.Stopped after a signal.
    """
    if config.processes > 1 and config.strategy == "multi_worker":
        raise ValueError(
            f"--processes={config.processes} judges beside one worker: give --processes=1 with "
            "--strategy=multi_worker."
        )
    processes.share(config.processes)
    with claimed(config) as folder:
        set_up(config)
        check_weights(config)
        baselines(config)  # a wrong one is named now, not when its turn comes
        run = phases.Run(config, splits.load(config), distribution.make_strategy(config.strategy))
        objective = phases.make_objective(
            config, run.tables
        )  # what it lacks is said now, not when its phase comes
        f_A = make_anonymizer(run)
        left = sum(run.phase(name).result() is None for name in run.names())
        with processes.beside([*JUDGE, str(folder)], min(config.processes, left) - 1):
            phases.initialise(run, f_A)
            watchers = [
                *samples.watchers(run.tables, config, objective.extras),
                *attacks.watchers(run, f_A),
            ]
            phases.anonymize(run, f_A, watchers)
            results = judge_all(run, f_A)
        samples.draw(folder / "pictures", run.tables, config, {**baselines(config), "f_A": f_A})
        summarise(folder, config, results)
        if config.export:
            ship(run, folder)
    return results


@contextlib.contextmanager
def claimed(config):
    """The run's folder, for this process alone and for this experiment alone."""
    folder = pathlib.Path(config.workdir)
    with locked(
        folder, f"Another process is training in {folder}. Wait for it, or give another --workdir."
    ):
        bind(folder / "run.flags", config, "a run", "another --workdir")
        yield folder


def bind(record, asked, held, otherwise, free=settings.FREE):
    """Write the flagfile `record`: from the first phase on, nothing is computed beside it under other flags.

    A start that a wrong value ended leaves its flags behind, and nothing to keep.  held: what the folder holds.
    otherwise: what would do.  free: flags that may differ.
    Raises ValueError where something was computed there under other flags.
    """
    folder = record.parent
    begun = any(path.is_file() for path in folder.glob("phases/*/[!.]*"))
    if begun and record.exists() and (differing := settings.differences(asked, record, free)):
        raise ValueError(
            f"{folder} holds {held} with other flags: {'; '.join(differing)}. Give those flags as they were, or "
            f"{otherwise}."
        )
    with files.whole_file(record) as unfinished:
        settings.write_flagfile(asked, unfinished)


@contextlib.contextmanager
def locked(folder, taken):
    """A folder for this process alone.  Raises ValueError(taken) where another has it."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(folder / ".lock", wait=False))
        except BlockingIOError:
            raise ValueError(taken) from None
        yield


def set_up(config):
    """What TensorFlow and Keras keep per process."""
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(config.precision)
    keras.utils.set_random_seed(config.seed)
    limits.allow(**config.limits())
    frame_cache.FRAMES.allow(config.frame_memory << 20)


def check_weights(config):
    """Raises ValueError where a file to start from is of another network: now, not when its phase comes."""
    for kind, name, weights in (
        ("anonymizers", config.anonymizer, config.anonymizer_weights),
        ("actions", config.action_network, config.action_weights),
        ("privacy", config.privacy_network, config.privacy_weights),
        ("actions", config.action_judge_network, config.action_judge_weights),
        ("privacy", config.privacy_judge_network, config.privacy_judge_weights),
    ):
        if weights:
            load_pretrained.check(kind, name, weights)
    if config.warm_action and config.action_weights:
        raise ValueError(
            "f_T starts as the judge of raw clips (--warm_action) or from --action_weights, not from both."
        )
    if config.warm_action and config.action_judge_network != config.action_network:
        raise ValueError(
            f"f_T starts as the judge of raw clips (--warm_action), so --action_judge={config.action_judge} has "
            f"to be --action_network={config.action_network}."
        )


def make_anonymizer(run):
    """f_A as the config wants it, with the first weights of its seed."""
    run.seeded("f_A")
    with run.strategy.scope():
        return load_pretrained.build(
            "anonymizers",
            run.config.anonymizer,
            run.config.anonymizer_weights,
            width=run.config.anonymizer_width,
            output=run.config.anonymizer_output,
        )


def baselines(config):
    """spec -> fixed anonymizer.  Raises ValueError where a spec or what it needs is wrong."""
    return {spec: component_spec.build("anonymizers", spec) for spec in config.baselines}


def judge_all(run, f_A):
    """Criterion 1 and 2 of each baseline and of f_A, by fresh judges with one budget; what results.json holds."""
    anonymizers = {**baselines(run.config), "f_A": f_A}
    judge_free(run, anonymizers)
    rows = []
    for name, anonymizer in anonymizers.items():  # what another process is at is waited for here
        row = {"anonymizer": name, **phases.judge_action(run, name, anonymizer)}
        rows.append(
            row
            | {
                probe: phases.judge_privacy(run, name, anonymizer, probe)
                for probe in run.tables.probes
            }
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": run.config.seed,
        "rows": rows,
        "notes": [*run.tables.notes, *_notes(run.config, run.phase("anonymize").result())],
    }


def _notes(config, game):
    """What a reader has to know of a game.  game: what it found."""
    if config.penalty_weight == 0 or not phase_cache.penalty_is_idle(config, game):
        return []
    return [
        f"B = {config.penalty_bound:g} was never reached: no {config.penalty_reduction} was changed by more than "
        f"{game['largest_change']:.3f} (RMS). So f_A is that of lambda = 0."
    ]


def judge_free(run, anonymizers, but=()):
    """Do each phase of these anonymizers' judges that no other process is at.  but: phases to leave alone."""
    for name, anonymizer in anonymizers.items():
        for phase, judge in phases.judges(run, name, anonymizer).items():
            if phase not in but and not run.phase(phase).is_taken():
                judge()


def summarise(folder, config, results):
    """results.json, the table as a text file, and the run's row on TensorBoard's HParams page."""
    checkpoint.write_json(folder / "results.json", results)
    with files.whole_file(folder / "results.txt") as unfinished:
        unfinished.write_text(results_table.format_table(results) + "\n")
    tensorboard.hparams(folder / "logs", config, results)


def ship(run, folder):
    """Export f_A in float32, whatever it was trained in, proved on real frames of the test split."""
    keras.config.set_dtype_policy("float32")
    f_A = registry.find("anonymizers", run.config.anonymizer).build(
        width=run.config.anonymizer_width, output=run.config.anonymizer_output
    )
    run.phase("anonymize").result(f_A)
    clips, _, _ = next(iter(pipeline.evaluation_clips(run.tables.clips.test, run.config)))
    exporter.export(f_A, folder / "export", clips[0].numpy())
