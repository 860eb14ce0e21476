"""Attack a finished run, and measure what still leaks and how well actions are recognised.

    python -m tfanon.evaluate --run_dir=runs/quickstart --protocol=strict
    python -m tfanon.evaluate --run_dir=runs/quickstart --anonymizers=f_A,f_A+h264,blur,my.tflite

Results are in <run_dir>/evaluation/<protocol>: results.json, a table (results.txt) and one folder
per attack. Re-running the same command resumes after any interruption. The exit status is 1 if a
control failed: the attackers were too weak on raw video, or found something in noise.
"""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tfanon import experiment
from tfanon.attacks.common import attack_plan, attack_run
from tfanon.core import command_line, config, exit_status, files, registry
from tfanon.core.config import Config
from tfanon.data import decode
from tfanon.data.splits import load_experiment_data
from tfanon.evaluation import leakage_table, phase_reuse, runner
from tfanon.evaluation import targets as target_loading
from tfanon.evaluation.options import REPEATABLE_FLAGS, EvaluateOptions
from tfanon.inference import network
from tfanon.training import distribution, loop, phase_cache, phases, run_folder

# Flags with which an evaluation uses other data than the run: its results are reported separately.
NOVEL_DATA_FLAGS = ("eval_clip_source", "test_clip_source", "test_image_source", "attribute_set")


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Name of the program and words that are not flags, of which there must be none.

    Returns:
        The exit status.
    """
    exit_status.reject_positional_arguments(arguments[1:])
    return evaluate_and_print(config.from_flags(EvaluateOptions), sys.argv[1:])


def evaluate_and_print(options: EvaluateOptions, command_words: Sequence[str] = ()) -> int:
    """Evaluate a run and print the table.

    Args:
        options: Options of the command.
        command_words: The command line, recorded in results.json.

    Returns:
        The exit status.
    """
    return loop.run_training_with_exit_status(
        "tfanon.evaluate", lambda: _evaluate_and_print(options, command_words)
    )


def _evaluate_and_print(options: EvaluateOptions, command_words: Sequence[str]) -> int:
    with decode.unwrap_errors(network.UnsafeOutputError):
        results = evaluate_run(options, command_words)
    print(leakage_table.format_leakage_table(results))
    return 1 if leakage_table.describe_failed_controls(results) else 0


def evaluate_run(options: EvaluateOptions, command_words: Sequence[str] = ()) -> dict[str, Any]:
    """Evaluate a run and write its results.

    Args:
        options: Options of the command.
        command_words: The command line, recorded in results.json.

    Returns:
        The contents of results.json.

    Raises:
        ValueError: An option, a file or the folder does not fit.
        FloatingPointError: A loss is not finite.
        TrainingInterruptedError: A signal arrived; re-running the command resumes.
    """
    if not options.run_dir:
        raise ValueError("Give --run_dir, the --workdir of a run of tfanon-train.")
    protocol = registry.load_module("protocols", options.protocol)
    folder = pathlib.Path(options.run_dir) / "evaluation" / options.protocol
    run_config = run_folder.load_run_config(options.run_dir, options.data_dir)
    attack_config = make_attack_config(run_config, options, folder)
    networks = attack_plan.NetworkOptions(options.networks, options.weights_dir)
    plan = protocol.plan(attack_config, networks).with_attackers(options.attackers)
    with experiment.lock_folder(folder, f"Another process is evaluating in {folder}. Wait for it."):
        experiment.pin_config(
            folder / "evaluate.flags", options, "attacks", "delete that folder", REPEATABLE_FLAGS
        )
        experiment.configure_runtime(attack_config)
        _record_digests(folder, hash_start_files(plan))
        run = attack_run.AttackRun(
            attack_config,
            load_experiment_data(attack_config),
            distribution.make_strategy("one_device"),
        )
        run = _set_clip_epochs(run, options)
        phase_reuse.reuse_run_phases(run, run_config)
        # Not run.config: its clip epochs depend on data, and none is loaded for the others.
        phase_reuse.reuse_other_evaluations(
            run, attack_config, options, _find_other_evaluations(options)
        )
        targets = load_targets(options, run, folder)
        protocol_results = runner.run_protocol(run, plan, targets, options.min_raw_leakage)
        results = {
            **protocol_results,
            "protocol": options.protocol,
            "seed": attack_config.seed,
            "novel": get_novel_data(options),
            # tfanon.sweep compares it to see whether an evaluation has to run again.
            "command": " ".join(["python -m tfanon.evaluate", *command_words]),
        }
        files.write_json_atomically(folder / "results.json", results)
        table = leakage_table.format_leakage_table(results)
        files.write_text_atomically(folder / "results.txt", f"{table}\n")
    return results


def make_attack_config(
    run_config: Config, options: EvaluateOptions, folder: pathlib.Path
) -> Config:
    """Return the configuration of the attacks on a run: its own with other folder, data and budget.

    Args:
        run_config: Configuration of the run.
        options: Options of the command.
        folder: Folder of the evaluation.

    Returns:
        The configuration.
    """
    source = options.eval_clip_source or run_config.eval_clip_source or run_config.clip_source
    source_kinds = getattr(registry.load_module("sources", source), "KINDS", ())
    has_private_clips = run_config.attack_clips or "private_clips" in source_kinds
    # XLA cannot compile anonymizers that leave the graph: networks in files and H.264.
    in_graph = {*registry.list_names("anonymizers"), "f_A"}
    jit_compile = run_config.jit_compile and in_graph >= {*options.anonymizers}
    return dataclasses.replace(
        run_config,
        **get_novel_data(options),
        workdir=str(folder),
        jit_compile=jit_compile,
        attack_clips=options.clips and has_private_clips,
        clip_private_columns=run_config.clip_private_columns if options.clips else (),
        epochs_privacy=options.attack_epochs or run_config.epochs_privacy,
        epochs_action=options.action_epochs or run_config.epochs_action,
        eval_clips=options.eval_clips or run_config.eval_clips,
    )


def get_novel_data(options: EvaluateOptions) -> dict[str, Any]:
    """Return the flags, with their values, that choose other data than the run's."""
    return {name: getattr(options, name) for name in NOVEL_DATA_FLAGS if getattr(options, name)}


def hash_start_files(plan: attack_plan.AttackPlan) -> dict[str, str]:
    """Compute the SHA-256 of the weights from which attackers start.

    Names of phases contain the names of these files only.

    Args:
        plan: The attacks.

    Returns:
        Name of each file to its SHA-256; missing files are left out.
    """
    starts = {settings.get("start", attack_run.SCRATCH) for _, settings in plan.attacks}
    digests = {}
    for start in sorted(starts - {attack_run.SCRATCH}):
        if pathlib.Path(start).is_file():
            digests[attack_run.get_start_name(start)] = files.compute_sha256(start)
    return digests


def _find_other_evaluations(options: EvaluateOptions) -> dict[pathlib.Path, Config]:
    """Return the evaluations of --reuse_from under this protocol, with their configurations."""
    evaluations = {}
    for run_dir in options.reuse_from:
        folder = pathlib.Path(run_dir) / "evaluation" / options.protocol
        if (folder / "evaluate.flags").is_file():
            run_config = run_folder.load_run_config(run_dir, options.data_dir)
            evaluations[folder] = make_attack_config(run_config, options, folder)
    return evaluations


def load_targets(
    options: EvaluateOptions, run: attack_run.AttackRun, folder: pathlib.Path
) -> dict[str, attack_run.Anonymizer]:
    """Load the anonymizers that are attacked.

    Args:
        options: Options of the command.
        run: The evaluation.
        folder: Folder of the evaluation.

    Returns:
        Label of each anonymizer in the results to the anonymizer.

    Raises:
        ValueError: Two anonymizers have the same label, or earlier attacks under a label used
            another file.
    """
    run_config = run_folder.load_run_config(options.run_dir)
    trained_run = phases.TrainingRun(run_config, run.data, run.strategy)

    def load_own_anonymizer() -> tuple[attack_run.Anonymizer, str]:
        f_A = run_folder.load_anonymizer(trained_run)
        record = phase_cache.read_phase_record(options.run_dir, "anonymize")
        return f_A, record["sha256"]

    reserved = {*registry.list_names("anonymizers"), "f_A"}
    anonymizers: dict[str, attack_run.Anonymizer] = {}
    digests = {}
    for name in options.anonymizers or (*run_config.baselines, "f_A"):
        label, f_A, digest = target_loading.load_target(name, load_own_anonymizer, options.crf)
        if label.endswith(target_loading.H264_SUFFIX) and run.config.resolution % 2:
            raise ValueError(
                f"--anonymizers: {name} needs an even --resolution, since H.264 halves its colour "
                f"planes; that of the run is {run.config.resolution}."
            )
        is_file_with_reserved_name = label != name and label in reserved
        if label in anonymizers or is_file_with_reserved_name:
            raise ValueError(
                f"--anonymizers: two anonymizers would be called {label} in the results. Rename "
                f"the file {name}, or give it once."
            )
        anonymizers[label], digests[label] = f_A, digest
    _record_digests(folder, digests)
    return anonymizers


def _record_digests(folder: pathlib.Path, digests: Mapping[str, str]) -> None:
    """Record the SHA-256 of files by their names, in the folder of an evaluation.

    Raises:
        ValueError: Earlier attacks used another file of the same name.
    """
    record = folder / "files.json"
    recorded = json.loads(record.read_text()) if record.exists() else {}
    for name, digest in digests.items():
        if recorded.get(name, digest) != digest:
            raise ValueError(
                f"{name} is not the file of that name that earlier attacks in {folder} used. "
                "Rename it, or delete that folder."
            )
    files.write_json_atomically(record, {**recorded, **digests})


def _set_clip_epochs(run: attack_run.AttackRun, options: EvaluateOptions) -> attack_run.AttackRun:
    """Set the epochs of attacks on clips: at least as many steps as attacks on images take.

    Epochs that the command or the run sets are kept.
    """
    config = run.config
    epochs = options.attack_clip_epochs or config.epochs_clip_privacy
    tasks = run.data.privacy_tasks
    if not epochs and {"images", "clips"} <= set(tasks):
        image_steps = config.epochs_privacy * len(tasks["images"].train) / config.batch_privacy
        # Attacks on whole clips use the first batch size, attacks on their frames the second.
        batch = max(config.batch_action, config.batch_privacy)
        epochs = max(config.epochs_privacy, round(image_steps * batch / len(tasks["clips"].train)))
    return dataclasses.replace(run, config=dataclasses.replace(config, epochs_clip_privacy=epochs))


def run() -> None:
    """Run the console command `tfanon-evaluate`."""
    command_line.run_entry_point(main, [EvaluateOptions], __doc__)


if __name__ == "__main__":
    run()
