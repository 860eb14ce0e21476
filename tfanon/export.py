"""Export the anonymizer of a finished run, compare each file with Keras and measure it.

    python -m tfanon.export --run_dir=runs/quickstart
    python -m tfanon.export --run_dir=runs/quickstart --quantize=none,float16,dynamic,int8
    python -m tfanon.export --run_dir=runs/quickstart --serving_dir=/srv/models

Files that differ too much from Keras, are less useful or leak more are named and not kept, and the
exit status is 1. `export.json` holds every number.
"""

import pathlib
import sys
from typing import Any

from tfanon.core import command_line, config, exit_status
from tfanon.exporting import exporter, measure, quality_check, serving, summary
from tfanon.exporting.options import ExportOptions
from tfanon.inference import tested_size
from tfanon.inference.options import parse_size
from tfanon.training import run_folder


def main(arguments: list[str]) -> int | None:
    """Export as the flags say; return the exit status."""
    exit_status.reject_positional_arguments(arguments[1:])
    exit_status.exit_on_sigterm()
    return export_and_report(config.from_flags(ExportOptions))


def export_and_report(options: ExportOptions) -> int | None:
    """Export, print what was kept and what was not, and return the exit status."""
    return exit_status.run_with_exit_status(
        "tfanon.export",
        lambda: print_result(run_export(options)),
        after_interrupt="Run it again to start over.",
    )


def print_result(record: dict[str, Any]) -> int:
    """Print the table of an export and the reasons of refusals; return the exit status.

    Args:
        record: Content of export.json.
    """
    print(summary.format_export_table(record))
    for reason in record["refused"].values():
        print(f"tfanon.export: {reason}, so it was not kept.", file=sys.stderr)
    return 1 if record["refused"] else 0


def run_export(options: ExportOptions) -> dict[str, Any]:
    """Make, compare and measure the files; return the content of export.json.

    Raises:
        ValueError: An option is missing or invalid, or a float32 file differs from Keras.
    """
    if not options.run_dir:
        raise ValueError("--run_dir is missing: give the folder (--workdir) of a finished run.")
    # Again in export_anonymizer, but here before the run is loaded.
    exporter.check_formats(options.formats, options.quantize)
    if options.serving_dir:
        serving.check_serving_options(options)
    run_config = run_folder.load_run_config(options.run_dir, options.data_dir)
    # Runs are trained on squares.
    trained = (run_config.resolution, run_config.resolution)
    size = parse_size(options.size, "size") or trained
    warnings = check_size(options.run_dir, size, trained, options.allow_untested_size)
    # Only after every check of the options: it reads the lists of the data sets.
    run = run_folder.load_run(options.run_dir, options.data_dir)
    f_A = run_folder.load_anonymizer(run)
    about: dict[str, Any] = {"warnings": warnings}
    quality = None
    if options.check_quality:
        quality = quality_check.QualityCheck(run, size, options.eval_clips)
        # Keras first: it is what the files are compared with.
        about["keras"] = quality.measure(quality_check.wrap_keras(f_A))

    def examine(path: pathlib.Path) -> dict[str, Any]:
        """Return the entry of a file in export.json."""
        print(f"{path.name} agrees with Keras; measuring it ...", file=sys.stderr, flush=True)
        entry: dict[str, Any] = {"bytes": measure.count_bytes(path)}
        if quality is not None:
            entry["judged"] = quality.measure(quality_check.wrap_exported(path))
            quality_check.check_metric_drop(
                path.name, entry["judged"], about["keras"], options.max_metric_drop
            )
        if options.measure:
            entry.update(measure.measure_costs(path, size, repeats=options.repeats))
        return entry

    folder = pathlib.Path(options.output or pathlib.Path(options.run_dir) / "export")
    compared = run_folder.sample_frames(
        run, run_folder.COMPARISON_SPLIT, options.compared_frames, size
    )
    calibration = run_folder.sample_frames(
        run, run_folder.CALIBRATION_SPLIT, options.calibration_frames, size
    )
    record = exporter.export_anonymizer(
        f_A,
        folder,
        compared,
        formats=options.formats,
        quantize=options.quantize,
        fixed=options.fixed_size,
        representative=calibration,
        tolerance=options.tolerance,
        psnr=options.psnr,
        examine=examine,
        about=about,
        trained_size=trained,
    )
    if options.serving_dir:
        version = serving.add_serving_version(
            folder, options.serving_dir, options.serving_name, options.serving_root
        )
        print(f"Added {version} for TensorFlow Serving.", file=sys.stderr)
    return record


def check_size(
    run_dir: str, size: tuple[int, int], trained: tuple[int, int], allowed: bool
) -> list[str]:
    """Warn of an export at another size than the run's before work begins.

    The quality check does not make up for it: it sees the output at the run's resolution.

    Args:
        run_dir: Folder of the run.
        size: (H, W) of the export.
        trained: (H, W) of the run.
        allowed: Whether a size far from the run's is allowed.

    Returns:
        The warnings.

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


def run() -> None:
    """Run the console command `tfanon-export`."""
    command_line.run_entry_point(main, [ExportOptions], __doc__)


if __name__ == "__main__":
    run()
