"""How much can somebody who really tries still learn, and what is left of the action:

    python -m tfanon.evaluate --run_dir=runs/quickstart --protocol=strict
    python -m tfanon.evaluate --run_dir=runs/quickstart --anonymizers=f_A,f_A+h264,blur,anonymizer_int8.tflite

Everything is in <run_dir>/evaluation/<protocol>: results.json, the table as results.txt, a folder per attack. The same
command goes on where it was stopped. The exit status is 1 where a gate failed: the attackers were too weak on raw data,
or found something in noise.
"""

import dataclasses
import json
import pathlib
import sys

from absl import app

from tfanon import experiment
from tfanon.attacks.common import (
    attack_plan,
    attack_run,
)
from tfanon.core import checkpoint, config, exit_status, files, registry
from tfanon.data import decode, splits
from tfanon.evaluation import leakage_table, options, phase_reuse, runner
from tfanon.evaluation import targets as _targets
from tfanon.inference import network
from tfanon.training import (
    distribution,
    loop,
    phase_cache,
    phases,
    run_folder,
)

NOVEL_DATA_FLAGS = ("eval_clip_source", "test_clip_source", "test_image_source", "attribute_set")


def main(arguments):
    exit_status.reject_positional_arguments(arguments[1:])
    return evaluate_and_print(config.from_flags(options.EvaluateOptions), sys.argv[1:])


def evaluate_and_print(settings, words=()):
    """The exit status; the table goes to standard output.  words: the command line, for who reads results.json."""
    return loop.run_training_with_exit_status(
        "tfanon.evaluate", lambda: _evaluate_and_print(settings, words)
    )


def _evaluate_and_print(settings, words):
    with decode.clear_errors(network.UnsafeOutputError):
        results = evaluate_run(settings, words)
    print(leakage_table.format_leakage_table(results))
    return 1 if leakage_table.describe_failed_controls(results) else 0


def evaluate_run(settings, words=()):
    """Attack, judge, write; returns what results.json holds.  words: as report has them."""
    if not settings.run_dir:
        raise ValueError("Which run? Give --run_dir, the --workdir of python -m tfanon.train.")
    protocol = registry.load_module("protocols", settings.protocol)
    folder = pathlib.Path(settings.run_dir) / "evaluation" / settings.protocol
    own = run_folder.load_run_config(settings.run_dir, settings.data_dir)
    asked = make_attack_config(own, settings, folder)
    plan = protocol.plan(
        asked, attack_plan.NetworkOptions(settings.networks, settings.weights_dir)
    ).with_attackers(settings.attackers)
    with experiment.lock_folder(folder, f"Another process is evaluating in {folder}. Wait for it."):
        experiment.pin_config(
            folder / "evaluate.flags",
            settings,
            "attacks",
            "delete that folder",
            options.REPEATABLE_FLAGS,
        )
        experiment.configure_runtime(asked)
        _record_digests(folder, hash_start_files(plan))
        run = _set_clip_epochs(
            attack_run.AttackRun(
                asked, splits.load(asked), distribution.make_strategy("one_device")
            ),
            settings,
        )
        phase_reuse.reuse_run_phases(run, own)
        phase_reuse.reuse_other_evaluations(run, asked, settings, _find_other_evaluations(settings))
        found = runner.run_protocol(
            run, plan, load_targets(settings, run, folder), settings.min_raw_leakage
        )
        results = {
            **found,
            "protocol": settings.protocol,
            "seed": asked.seed,
            "novel": get_novel_data(settings),
            "command": " ".join(["python -m tfanon.evaluate", *words]),
        }
        checkpoint.write_json(folder / "results.json", results)
        with files.write_atomically(folder / "results.txt") as unfinished:
            unfinished.write_text(leakage_table.format_leakage_table(results) + "\n")
    return results


def make_attack_config(found, settings, folder):
    """The Config of a run as its attackers have it: their folder, their data, their budget."""
    source = registry.load_module(
        "sources", settings.eval_clip_source or found.eval_clip_source or found.clip_source
    )
    private = "private_clips" in getattr(source, "KINDS", ())
    graph = {
        *registry.list_names("anonymizers"),
        "f_A",
    }  # what else there is leaves it, and XLA cannot follow
    return dataclasses.replace(
        found,
        **get_novel_data(settings),
        workdir=str(folder),
        jit_compile=found.jit_compile and graph >= {*settings.anonymizers},
        attack_clips=settings.clips and (found.attack_clips or private),
        clip_private_columns=found.clip_private_columns if settings.clips else (),
        epochs_privacy=settings.attack_epochs or found.epochs_privacy,
        epochs_action=settings.action_epochs or found.epochs_action,
        eval_clips=settings.eval_clips or found.eval_clips,
    )


def get_novel_data(settings):
    """{flag: value} of the data that are not the run's: what is found there stands beside nothing of its own."""
    return {name: getattr(settings, name) for name in NOVEL_DATA_FLAGS if getattr(settings, name)}


def hash_start_files(plan):
    """{file name: SHA-256} of the files from which attackers start: of a start, the phase's name holds no more."""
    paths = {
        choice["start"]
        for _, choice in plan.attacks
        if choice.get("start", attack_run.SCRATCH) != attack_run.SCRATCH
    }
    return {
        attack_run.get_start_name(path): files.compute_sha256(path)
        for path in sorted(paths)
        if pathlib.Path(path).is_file()
    }


def _find_other_evaluations(settings):
    """{folder of an evaluation under this protocol: the Config of its attackers}, of --reuse_from."""
    found = {}
    for other in settings.reuse_from:
        folder = pathlib.Path(other) / "evaluation" / settings.protocol
        if (folder / "evaluate.flags").is_file():
            found[folder] = make_attack_config(
                run_folder.load_run_config(other, settings.data_dir), settings, folder
            )
    return found


def load_targets(settings, run, folder):
    """{label: f_A} of what is attacked.

    Raises ValueError where two have one label, or one is another than the one that was attacked under it.
    """
    trained = phases.TrainingRun(
        run_folder.load_run_config(settings.run_dir), run.tables, run.strategy
    )

    def f_A():
        return run_folder.load_anonymizer(trained), phase_cache.read_phase_record(
            settings.run_dir, "anonymize"
        )["sha256"]

    made, digests = {}, {}
    for name in settings.anonymizers or (*trained.config.baselines, "f_A"):
        label, anonymizer, digest = _targets.load_target(name, f_A, settings.crf)
        if label.endswith(_targets.H264_SUFFIX) and run.config.resolution % 2:
            raise ValueError(
                f"--anonymizers: H.264 halves its colour planes, so {name} needs an even --resolution, and "
                f"the run's is {run.config.resolution}."
            )
        if label in made or label != name and label in (*registry.list_names("anonymizers"), "f_A"):
            raise ValueError(f"--anonymizers: two would be called {label}: rename the file {name}.")
        made[label], digests[label] = anonymizer, digest
    _record_digests(folder, digests)
    return made


def _record_digests(folder, digests):
    """Note {name: SHA-256}.  Raises ValueError where a name stood for another file when something was attacked there."""
    record = folder / "files.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    for name, digest in digests.items():
        if known.get(name, digest) != digest:
            raise ValueError(
                f"{name} is another file than the one of that name in the attacks in {folder}: rename it, or "
                "delete that folder."
            )
    checkpoint.write_json(record, known | digests)


def _set_clip_epochs(run, settings):
    """Who attacks clips takes at least as many steps as who attacks images, where nobody says how many."""
    config = run.config
    epochs = settings.attack_clip_epochs or config.epochs_clip_privacy
    if not epochs and {"images", "clips"} <= set(run.tables.probes):
        images, clips = (len(run.tables.probes[probe].train) for probe in ("images", "clips"))
        steps = config.epochs_privacy * images / config.batch_privacy
        batch = max(config.batch_action, config.batch_privacy)  # of whole clips; of frames of them
        epochs = max(config.epochs_privacy, round(steps * batch / clips))
    return dataclasses.replace(run, config=dataclasses.replace(config, epochs_clip_privacy=epochs))


def run():
    """Console command `tfanon-evaluate`."""
    config.define_flags(options.EvaluateOptions)
    app.run(main)


if __name__ == "__main__":
    run()
