"""Export the anonymizer of a finished run, prove each file against Keras, and measure what it costs and what it leaks:

    python -m tfanon.export --run_dir=runs/quickstart --formats=saved_model,tflite --quantize=none,float16,dynamic,int8
    python -m tfanon.export --run_dir=runs/quickstart --formats=saved_model --serving_dir=/srv/models

A file that is too far from Keras, less useful or less private is not kept, is named, and makes the exit status 1.
`export.json` holds every number; `--help` explains the flags.
"""

import pathlib
import sys

from absl import app

from tfanon.core import config, exit_status
from tfanon.exporting import exporter, measure, quality_check, serving, summary
from tfanon.exporting.options import Settings
from tfanon.inference import tested_size
from tfanon.inference.options import parse_size
from tfanon.training import run_folder


def main(arguments):
    exit_status.reject_positional_arguments(arguments[1:])
    exit_status.exit_on_sigterm()
    return report(config.from_flags(Settings))


def report(settings):
    """The exit status; what was made goes to standard output, what was not and why to standard error."""
    return exit_status.run_with_exit_status(
        "tfanon.export", lambda: told(work(settings)), after_interrupt="begins anew"
    )


def told(record):
    """The exit status of an export, after its lines."""
    print(summary.format_table(record))
    for name, reason in record["fine_tuned"].items():
        print(f"tfanon.export: f_A was fine-tuned for {name}, since {reason}.", file=sys.stderr)
    for reason in record["refused"].values():
        print(f"tfanon.export: {reason}, so it was not kept.", file=sys.stderr)
    return 1 if record["refused"] else 0


def work(settings):
    """Make, prove and measure what the settings ask for; returns what export.json holds."""
    if not settings.run_dir:
        raise ValueError("Which run? Give --run_dir, the --workdir of python -m tfanon.train.")
    exporter.check(settings.formats, settings.quantize)
    if settings.serving_dir:
        serving.check(settings)
    trained = (run_folder.load_run_config(settings.run_dir, settings.data_dir).resolution,) * 2
    size = parse_size(settings.size, "size") or trained
    warnings = check_size(settings.run_dir, size, trained, settings.allow_untested_size)
    run = run_folder.load_run(settings.run_dir, settings.data_dir)
    f_A = run_folder.load_anonymizer(run)
    judges = quality_check.Judges(run, size, settings.eval_clips) if settings.judge else None
    about = {"warnings": warnings}
    if judges:
        about["keras"] = judges.scores(quality_check.of_keras(f_A))

    def examine(path):
        """What export.json says of one file besides its distance from Keras."""
        print(
            f"{path.name} agrees with Keras; it is judged and measured ..",
            file=sys.stderr,
            flush=True,
        )
        entry = {"bytes": measure.size_of(path)}
        if judges:
            entry["judged"] = judges.scores(quality_check.of_file(path))
            quality_check.check(path.name, entry["judged"], about["keras"], settings.points)
        return entry | (
            measure.costs(path, size, repeats=settings.repeats) if settings.measure else {}
        )

    folder = pathlib.Path(settings.output or pathlib.Path(settings.run_dir) / "export")
    record = exporter.export(
        f_A,
        folder,
        run_folder.sample_frames(run, run_folder.COMPARISON_SPLIT, settings.compared_frames, size),
        settings.formats,
        settings.quantize,
        settings.fixed_size,
        run_folder.sample_frames(
            run, run_folder.CALIBRATION_SPLIT, settings.calibration_frames, size
        ),
        settings.tolerance,
        settings.psnr,
        examine,
        about,
        settings.aware_steps,
        trained,
    )
    if settings.serving_dir:
        version = serving.write(
            folder, settings.serving_dir, settings.serving_name, settings.serving_root
        )
        print(f"TensorFlow Serving finds it as {version}.", file=sys.stderr)
    return record


def check_size(
    run_dir: str, size: tuple[int, int], trained: tuple[int, int], allowed: bool
) -> list[str]:
    """The warnings of an export at another size than the run's, printed before work begins.

    The judges of the run do not make up for it: they see what the files return at the run's size.

    Raises:
        ValueError: The size is far from the run's and that is not allowed.
    """
    if size == trained:
        return []
    name, where = f"The f_A of {run_dir}", f"at {tested_size.format_size(size)}"
    if tested_size.is_far(size, trained) and not allowed:
        instead = f"Export at {tested_size.format_size(trained)}, train at another --resolution"
        tested_size.refuse_untested_size(name, where, trained, instead)
    line = tested_size.describe_untested_size(name, where, trained)
    print(f"tfanon.export: {line}", file=sys.stderr, flush=True)
    return [line]


def run():
    """Console command `tfanon-export`."""
    config.define_flags(Settings)
    app.run(main)


if __name__ == "__main__":
    run()
