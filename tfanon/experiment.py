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
WORKER_COMMAND = ("-m", "tfanon.baseline_worker")  # what the other processes of a run are


def run_experiment(config):
    """Train, judge and export; returns the results that `results.json` holds.

    Run again with the same config it goes on where it was stopped.  Raises ValueError where a setting, a file or the
    folder does not fit, FloatingPointError where a loss is not finite, fitting.Stopped after a signal.
    """
    if config.processes > 1 and config.strategy == "multi_worker":
        raise ValueError(
            f"--processes={config.processes} judges beside one worker: give --processes=1 with "
            "--strategy=multi_worker."
        )
    processes.use_resource_share(config.processes)
    with lock_run_folder(config) as folder:
        configure_runtime(config)
        check_initial_weights(config)
        build_baselines(config)  # a wrong one is named now, not when its turn comes
        run = phases.TrainingRun(
            config, splits.load(config), distribution.make_strategy(config.strategy)
        )
        objective = phases.make_objective(
            config, run.tables
        )  # what it lacks is said now, not when its phase comes
        f_A = make_anonymizer(run)
        left = sum(run.get_phase(name).load_result() is None for name in run.list_phases())
        with processes.run_workers([*WORKER_COMMAND, str(folder)], min(config.processes, left) - 1):
            phases.initialize_anonymizer(run, f_A)
            watchers = [
                *samples.watchers(run.tables, config, objective.extra_batch_keys),
                *attacks.watchers(run, f_A),
            ]
            phases.train_anonymizer(run, f_A, watchers)
            results = evaluate_all(run, f_A)
        samples.draw(
            folder / "pictures", run.tables, config, {**build_baselines(config), "f_A": f_A}
        )
        write_results(folder, config, results)
        if config.export:
            export_run(run, folder)
    return results


@contextlib.contextmanager
def lock_run_folder(config):
    """The run's folder, for this process alone and for this experiment alone."""
    folder = pathlib.Path(config.workdir)
    with lock_folder(
        folder, f"Another process is training in {folder}. Wait for it, or give another --workdir."
    ):
        pin_config(folder / "run.flags", config, "a run", "another --workdir")
        yield folder


def pin_config(record, options, contents, remedy, ignored_flags=settings.RUNTIME_FLAGS):
    """Write the flagfile `record`: from the first phase on, nothing is computed beside it under other flags.

    A start that a wrong value ended leaves its flags behind, and nothing to keep.  held: what the folder holds.
    otherwise: what would do.  free: flags that may differ.
    Raises ValueError where something was computed there under other flags.
    """
    folder = record.parent
    begun = any(path.is_file() for path in folder.glob("phases/*/[!.]*"))
    if (
        begun
        and record.exists()
        and (differing := settings.list_differences(options, record, ignored_flags))
    ):
        raise ValueError(
            f"{folder} holds {contents} with other flags: {'; '.join(differing)}. Give those flags as they were, or "
            f"{remedy}."
        )
    with files.write_atomically(record) as unfinished:
        settings.write_flagfile(options, unfinished)


@contextlib.contextmanager
def lock_folder(folder, message):
    """A folder for this process alone.  Raises ValueError(taken) where another has it."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.lock_file(folder / ".lock", wait=False))
        except BlockingIOError:
            raise ValueError(message) from None
        yield


def configure_runtime(config):
    """What TensorFlow and Keras keep per process."""
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(config.precision)
    keras.utils.set_random_seed(config.seed)
    limits.set_limits(**config.limits())
    frame_cache.FRAME_CACHE.set_limit(config.frame_cache_mib << 20)


def check_initial_weights(config):
    """Raises ValueError where a file to start from is of another network: now, not when its phase comes."""
    for kind, name, weights in (
        ("anonymizers", config.anonymizer, config.anonymizer_weights),
        ("actions", config.action_network, config.action_weights),
        ("privacy", config.privacy_network, config.privacy_weights),
        ("actions", config.action_evaluator_network, config.eval_action_weights),
        ("privacy", config.attacker_network, config.attack_weights),
    ):
        if weights:
            load_pretrained.check_weights_record(kind, name, weights)
    if config.init_action_from_raw and config.action_weights:
        raise ValueError(
            "f_T starts as the judge of raw clips (--init_action_from_raw) or from --action_weights, not from both."
        )
    if config.init_action_from_raw and config.action_evaluator_network != config.action_network:
        raise ValueError(
            f"f_T starts as the judge of raw clips (--init_action_from_raw), so --eval_action_network={config.eval_action_network} has "
            f"to be --action_network={config.action_network}."
        )


def make_anonymizer(run):
    """f_A as the config wants it, with the first weights of its seed."""
    run.seed_for_phase("f_A")
    with run.strategy.scope():
        return load_pretrained.build_pretrained_network(
            "anonymizers",
            run.config.anonymizer,
            run.config.anonymizer_weights,
            width=run.config.anonymizer_width,
            output=run.config.anonymizer_output,
        )


def build_baselines(config):
    """spec -> fixed anonymizer.  Raises ValueError where a spec or what it needs is wrong."""
    return {spec: component_spec.build_component("anonymizers", spec) for spec in config.baselines}


def evaluate_all(run, f_A):
    """Criterion 1 and 2 of each baseline and of f_A, by fresh judges with one budget; what results.json holds."""
    anonymizers = {**build_baselines(run.config), "f_A": f_A}
    evaluate_unlocked_phases(run, anonymizers)
    rows = []
    for name, anonymizer in anonymizers.items():  # what another process is at is waited for here
        row = {"anonymizer": name, **phases.measure_utility(run, name, anonymizer)}
        rows.append(
            row
            | {
                probe: phases.measure_leakage(run, name, anonymizer, probe)
                for probe in run.tables.probes
            }
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": run.config.seed,
        "rows": rows,
        "notes": [*run.tables.notes, *_make_notes(run.config, run.get_phase("anonymize").load_result())],
    }


def _make_notes(config, game):
    """What a reader has to know of a game.  game: what it found."""
    if config.penalty_weight == 0 or not phase_cache.is_penalty_idle(config, game):
        return []
    return [
        f"B = {config.penalty_bound:g} was never reached: no {config.penalty_reduction} was changed by more than "
        f"{game['largest_change']:.3f} (RMS). So f_A is that of lambda = 0."
    ]


def evaluate_unlocked_phases(run, anonymizers, excluded=()):
    """Do each phase of these anonymizers' judges that no other process is at.  but: phases to leave alone."""
    for name, anonymizer in anonymizers.items():
        for phase, judge in phases.make_evaluation_jobs(run, name, anonymizer).items():
            if phase not in excluded and not run.get_phase(phase).is_locked():
                judge()


def write_results(folder, config, results):
    """results.json, the table as a text file, and the run's row on TensorBoard's HParams page."""
    checkpoint.write_json(folder / "results.json", results)
    with files.write_atomically(folder / "results.txt") as unfinished:
        unfinished.write_text(results_table.format_table(results) + "\n")
    tensorboard.hparams(folder / "logs", config, results)


def export_run(run, folder):
    """Export f_A in float32, whatever it was trained in, proved on real frames of the test split."""
    keras.config.set_dtype_policy("float32")
    f_A = registry.load_module("anonymizers", run.config.anonymizer).build(
        width=run.config.anonymizer_width, output=run.config.anonymizer_output
    )
    run.get_phase("anonymize").load_result(f_A)
    clips, _, _ = next(iter(pipeline.evaluation_clips(run.tables.clips.test, run.config)))
    exporter.export(f_A, folder / "export", clips[0].numpy())
