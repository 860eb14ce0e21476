"""A whole run in one folder: Algorithm 1, its evaluation beside the baselines, the exported f_A."""

import contextlib
import pathlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon import attacks
from tfanon.core import component_spec, config, files, processes
from tfanon.data import pipeline, splits
from tfanon.exporting import exporter
from tfanon.media import frame_cache, limits
from tfanon.pretrained import load_pretrained
from tfanon.summaries import results_table, samples, tensorboard
from tfanon.training import distribution, phase_cache, phases, run_folder

SCHEMA_VERSION = 1  # of results.json
WORKER_COMMAND = ("-m", "tfanon.baseline_worker")  # of the other processes of a run


def run_experiment(options: config.Config) -> dict[str, Any]:
    """Train, evaluate and export an anonymizer; resume if the folder holds an unfinished run.

    Args:
        options: The experiment; its `workdir` is the folder.

    Returns:
        What `results.json` holds.

    Raises:
        ValueError: A flag, a file or the folder does not fit.
        FloatingPointError: A loss is not finite.
        TrainingInterruptedError: SIGTERM or SIGINT arrived; the state was saved.
    """
    if options.processes > 1 and options.strategy == "multi_worker":
        raise ValueError(
            f"--processes={options.processes} cannot be combined with --strategy=multi_worker. "
            "Use --processes=1."
        )
    # Before TensorFlow starts, which reads the limits then.
    processes.use_resource_share(options.processes)
    with lock_run_folder(options) as folder:
        configure_runtime(options)
        # Wrong flags are reported now, not hours later when their phase begins.
        check_initial_weights(options)
        build_baselines(options)
        data = splits.load_experiment_data(options)
        strategy = distribution.make_strategy(options.strategy)
        run = phases.TrainingRun(options, data, strategy)
        objective = phases.make_objective(options, data)
        f_A = make_anonymizer(run)
        unfinished = [
            name for name in run.list_phases() if run.get_phase(name).load_result() is None
        ]
        # This process is one of them; with fewer phases left, more would have nothing to do.
        worker_count = min(options.processes, len(unfinished)) - 1
        with processes.run_workers([*WORKER_COMMAND, str(folder)], worker_count):
            phases.initialize_anonymizer(run, f_A)
            log_callbacks = [
                *samples.make_log_callbacks(data, options, objective.extra_batch_keys),
                *attacks.make_log_callbacks(run, f_A),
            ]
            phases.train_anonymizer(run, f_A, log_callbacks)
            results = evaluate_all(run, f_A)
        anonymizers = {**build_baselines(options), "f_A": f_A}
        samples.write_samples(folder / "pictures", data, options, anonymizers)
        write_results(folder, options, results)
        if options.export:
            export_run(run, folder)
    return results


@contextlib.contextmanager
def lock_run_folder(options: config.Config) -> Iterator[pathlib.Path]:
    """Reserve the folder of a run for this process and this experiment.

    Yields:
        The folder.

    Raises:
        ValueError: Another process is training there, or the folder holds another experiment.
    """
    folder = pathlib.Path(options.workdir)
    message = f"Another process is training in {folder}. Wait for it, or use another --workdir."
    with lock_folder(folder, message):
        pin_config(folder / "run.flags", options, "a run", "another --workdir")
        yield folder


def pin_config(
    record: pathlib.Path,
    options: Any,
    contents: str,
    remedy: str,
    ignored_flags: Sequence[str] = config.RUNTIME_FLAGS,
) -> None:
    """Write a flagfile and refuse other flags once something was computed in its folder.

    A start that failed before that leaves only its flags, which may be replaced.

    Args:
        record: Path of the flagfile.
        options: A dataclass of flags.
        contents: What the folder holds, for the error message.
        remedy: What to use instead of the original flags, for the error message.
        ignored_flags: Flags that may differ.

    Raises:
        ValueError: Something was computed in the folder with other flags.
    """
    folder = record.parent
    # Hidden files are locks and unfinished writes, which a failed start leaves, too.
    has_results = any(path.is_file() for path in folder.glob("phases/*/[!.]*"))
    if has_results and record.exists():
        differences = config.list_differences(options, record, ignored_flags)
        if differences:
            raise ValueError(
                f"{folder} holds {contents} with other flags: {'; '.join(differences)}. Use the "
                f"original flags, or {remedy}."
            )
    with files.write_atomically(record) as unfinished:
        config.write_flagfile(options, unfinished)


@contextlib.contextmanager
def lock_folder(folder: pathlib.Path, message: str) -> Iterator[None]:
    """Reserve a folder for this process.

    Args:
        folder: The folder; it need not exist.
        message: Error message if another process has reserved it.

    Raises:
        ValueError: Another process has reserved the folder.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.lock_file(folder / ".lock", wait=False))
        except BlockingIOError:
            raise ValueError(message) from None
        yield


def configure_runtime(options: config.Config) -> None:
    """Apply the flags that TensorFlow, Keras and the media readers keep per process."""
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(options.precision)
    keras.utils.set_random_seed(options.seed)
    limits.set_limits(**options.limits())
    # MiB to bytes.
    frame_cache.FRAME_CACHE.set_limit(options.frame_cache_mib << 20)


def check_initial_weights(options: config.Config) -> None:
    """Check that every file of initial weights is of the network it is meant for.

    Raises:
        ValueError: A file is of another network, or flags contradict each other.
    """
    for kind, name, weights in (
        ("anonymizers", options.anonymizer, options.anonymizer_weights),
        ("actions", options.action_network, options.action_weights),
        ("privacy", options.privacy_network, options.privacy_weights),
        ("actions", options.action_evaluator_network, options.eval_action_weights),
        ("privacy", options.attacker_network, options.attack_weights),
    ):
        if weights:
            load_pretrained.check_weights_record(kind, name, weights)
    if options.init_action_from_raw and options.action_weights:
        raise ValueError(
            "f_T starts from the action evaluator of raw clips (--init_action_from_raw) or from "
            "--action_weights, not from both. Drop one of these flags."
        )
    if options.init_action_from_raw and options.action_evaluator_network != options.action_network:
        raise ValueError(
            "With --init_action_from_raw f_T starts from the action evaluator of raw clips, so "
            f"--eval_action_network={options.eval_action_network} has to be "
            f"--action_network={options.action_network}."
        )


def make_anonymizer(run: phases.TrainingRun) -> keras.Model:
    """Build f_A with the initial weights of the run's seed, or those of `--anonymizer_weights`."""
    run.seed_for_phase("f_A")
    with run.strategy.scope():
        return load_pretrained.build_pretrained_network(
            "anonymizers",
            run.config.anonymizer,
            run.config.anonymizer_weights,
            width=run.config.anonymizer_width,
            output=run.config.anonymizer_output,
        )


def build_baselines(options: config.Config) -> dict[str, Callable[..., tf.Tensor]]:
    """Build the fixed anonymizers of `--baselines`.

    Returns:
        Each anonymizer by its component spec, such as `downsample:factor=2`.

    Raises:
        ValueError: A spec is wrong, or something that it needs is missing.
    """
    return {spec: component_spec.build_component("anonymizers", spec) for spec in options.baselines}


def evaluate_all(run: phases.TrainingRun, f_A: keras.Model) -> dict[str, Any]:
    """Measure utility and leakage (Criteria 1 and 2) of each baseline and of f_A.

    All anonymizers get evaluators and attackers with the same training budget.

    Returns:
        What `results.json` holds.
    """
    anonymizers = {**build_baselines(run.config), "f_A": f_A}
    evaluate_unlocked_phases(run, anonymizers)
    rows = []
    # Phases that other processes have begun are waited for here.
    for name, anonymizer in anonymizers.items():
        row = {"anonymizer": name, **phases.measure_utility(run, name, anonymizer)}
        for task in run.data.privacy_tasks:
            row[task] = phases.measure_leakage(run, name, anonymizer, task)
        rows.append(row)
    minimax_result = run.get_phase("anonymize").load_result() or {}
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": run.config.seed,
        "rows": rows,
        "notes": [*run.data.notes, *_make_notes(run.config, minimax_result)],
    }


def _make_notes(options: config.Config, minimax_result: dict[str, Any]) -> list[str]:
    """Return what a reader of the results has to know about the training of f_A."""
    if options.penalty_weight == 0 or not phase_cache.is_penalty_idle(options, minimax_result):
        return []
    largest_change = minimax_result["largest_change"]
    return [
        f"B = {options.penalty_bound:g} was never reached: no {options.penalty_reduction} was "
        f"changed by more than {largest_change:.3f} (RMS). The penalty had no effect, so f_A is "
        "the same as with lambda = 0."
    ]


def evaluate_unlocked_phases(
    run: phases.TrainingRun,
    anonymizers: Mapping[str, Callable[..., tf.Tensor]],
    excluded: Collection[str] = (),
) -> None:
    """Evaluate anonymizers, except for phases that another process is working on.

    Args:
        run: The run.
        anonymizers: Anonymizers by name.
        excluded: Names of phases to leave out.
    """
    for name, anonymizer in anonymizers.items():
        for phase_name, evaluate in phases.make_evaluation_jobs(run, name, anonymizer).items():
            if phase_name not in excluded and not run.get_phase(phase_name).is_locked():
                evaluate()


def write_results(folder: pathlib.Path, options: config.Config, results: dict[str, Any]) -> None:
    """Write results.json, its table as results.txt and a row of TensorBoard's HParams page."""
    files.write_json_atomically(folder / "results.json", results)
    files.write_text_atomically(folder / "results.txt", f"{results_table.format_table(results)}\n")
    tensorboard.write_hparams(folder / "logs", options, results)


def export_run(run: phases.TrainingRun, folder: pathlib.Path) -> None:
    """Export f_A in float32, compared with Keras on real frames of the test split."""
    keras.config.set_dtype_policy("float32")  # regardless of --precision
    # Built anew: layers keep the dtype policy under which they were created.
    f_A = run_folder.load_anonymizer(run)
    test = pipeline.make_clip_evaluation_dataset(run.data.clips.test, run.config)
    clips, _, _ = next(iter(test))
    exporter.export_anonymizer(f_A, folder / "export", clips[0].numpy())
