"""tfanon.export from options to files, and its messages for bad options."""

import json
import types

import numpy as np
import pytest

from tfanon import export
from tfanon.exporting import quality_check, summary, warmup
from tfanon.exporting.options import ExportOptions
from tfanon.inference.anonymizer import Anonymizer

KERAS = {
    "action_top1": 0.5,
    "images": {"cmap": 0.6, "f1": 0.5},
}  # measured on f_A itself
LOSING, LEAKING = KERAS | {"action_top1": 0.48}, KERAS | {"images": {"cmap": 0.62, "f1": 0.5}}


def test_files_are_compared_checked_and_measured(workdir, capsys):
    assert (
        export.export_and_report(
            ExportOptions(
                run_dir=str(workdir),
                formats=("tflite",),
                quantize=("none", "int8"),
                psnr=20.0,
                max_metric_drop=100.0,
                repeats=2,
                compared_frames=4,
                calibration_frames=8,
                eval_clips=1,
            )
        )
        == 0
    )
    record = json.loads((workdir / "export" / "export.json").read_text())
    for name in ("anonymizer.tflite", "anonymizer_int8.tflite"):
        entry = record["artefacts"][name]
        assert entry["bytes"] == (workdir / "export" / name).stat().st_size
        assert (
            entry["milliseconds"]["1"] > 0
            and entry["milliseconds"]["2"] > 0
            and entry["cpu_milliseconds"] > 0
        )
        assert 10 < entry["peak_mib"] < 300  # LiteRT alone: with TensorFlow it would be more
        assert (
            0 <= entry["judged"]["action_top1"] <= 1 and 0 <= entry["judged"]["images"]["cmap"] <= 1
        )
    assert summary.format_export_table(record) in capsys.readouterr().out


def test_a_refused_file_gives_exit_status_1(workdir, tmp_path, capsys):
    assert (
        export.export_and_report(
            ExportOptions(
                run_dir=str(workdir),
                output=str(tmp_path / "export"),
                formats=("tflite",),
                quantize=("none", "dynamic"),
                psnr=190.0,
                check_quality=False,
                measure=False,
                compared_frames=2,
                calibration_frames=2,
            )
        )
        == 1
    )
    assert "anonymizer_dynamic.tflite has a PSNR of" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == [
        "anonymizer.tflite",
        "export.json",
    ]


@pytest.mark.parametrize(
    "measured, reason",
    [(LOSING, "loses 2.0 points of action top-1"), (LEAKING, "leaks 2.0 points of cMAP")],
)
def test_a_file_of_lower_quality_is_not_kept(
    workdir, tmp_path, monkeypatch, capsys, measured, reason
):
    results = iter([KERAS, measured])  # of f_A, then of its file
    check = types.SimpleNamespace(measure=lambda f: next(results))
    monkeypatch.setattr(quality_check, "QualityCheck", lambda *arguments: check)
    options = ExportOptions(
        run_dir=str(workdir),
        output=str(tmp_path),
        formats=("tflite",),
        quantize=("int8",),
        psnr=20.0,
        measure=False,
        compared_frames=2,
        calibration_frames=4,
    )
    assert export.export_and_report(options) == 1
    name = "anonymizer_int8.tflite"
    record = json.loads((tmp_path / "export.json").read_text())
    assert next(results, None) is None
    assert reason in record["refused"][name] and record["artefacts"] == {}
    assert f"{name} {reason}" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_a_file_of_equal_quality_is_kept(workdir, tmp_path, monkeypatch):
    check = types.SimpleNamespace(measure=lambda f: KERAS)
    monkeypatch.setattr(quality_check, "QualityCheck", lambda *arguments: check)
    options = ExportOptions(
        run_dir=str(workdir), output=str(tmp_path), formats=("tflite",), measure=False
    )
    assert export.export_and_report(options) == 0
    record = json.loads((tmp_path / "export.json").read_text())
    size = (tmp_path / "anonymizer.tflite").stat().st_size
    assert record["artefacts"] == {"anonymizer.tflite": {"bytes": size, "judged": KERAS}}


def test_a_version_for_tensorflow_serving(workdir, tmp_path, capsys):
    pytest.importorskip("tensorflow_serving.apis")
    assert (
        export.export_and_report(
            ExportOptions(
                run_dir=str(workdir),
                output=str(tmp_path / "export"),
                formats=("saved_model",),
                check_quality=False,
                measure=False,
                compared_frames=2,
                calibration_frames=2,
                serving_dir=str(tmp_path / "models"),
                serving_name="faces",
                serving_root="/models",
            )
        )
        == 0
    )
    version = tmp_path / "models" / "faces" / "1"
    assert f"Added {version} for TensorFlow Serving." in capsys.readouterr().err
    graph = "saved_model.pb"
    assert (version / graph).read_bytes() == (
        tmp_path / "export" / "saved_model" / graph
    ).read_bytes()
    assert (version / warmup.WARMUP_FILE).stat().st_size > 0
    assert 'base_path: "/models/faces"' in (tmp_path / "models" / "models.config").read_text()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "--run_dir is missing: give the folder"),
        ({"run_dir": "nowhere"}, "There is no run in nowhere: nowhere/run.flags is missing"),
        (
            {"run_dir": "nowhere", "formats": ("tflit",)},
            "--formats is a list of saved_model, tflite, onnx, not 'tflit'",
        ),
        (
            {"run_dir": "nowhere", "formats": ("tflite",), "serving_dir": "x"},
            "--serving_dir needs saved_model",
        ),
    ],
)
def test_bad_options_are_one_line(settings, message, capsys):
    assert export.export_and_report(ExportOptions(**settings)) == 1
    errors = capsys.readouterr().err
    assert message in errors and len(errors.splitlines()) == 1


def test_a_size_far_from_the_trained_one(workdir, tmp_path, capsys):
    asked = dict(
        run_dir=str(workdir),
        output=str(tmp_path / "export"),
        formats=("tflite", "saved_model"),
        check_quality=False,
        measure=False,
        compared_frames=2,
        calibration_frames=2,
    )
    assert export.export_and_report(ExportOptions(size="64x48", **asked)) == 1
    message = capsys.readouterr().err
    assert (
        f"The f_A of {workdir} was trained and measured at 32x32; at 64x48 it may hide far less"
        in message
    )
    assert (
        "or give --allow_untested_size" in message
        and len(message.splitlines()) == 1
        and not (tmp_path / "export").exists()
    )
    assert (
        export.export_and_report(ExportOptions(size="64x48", allow_untested_size=True, **asked))
        == 0
    )
    record = json.loads((tmp_path / "export/export.json").read_text())
    assert record["trained_size"] == [32, 32] and (record["height"], record["width"]) == (64, 48)
    assert "the privacy figures of its table hold for 32x32 alone" in record["warnings"][0]
    assert record["warnings"][0] in capsys.readouterr().err.splitlines()[0]
    for name in ("anonymizer.tflite", "saved_model"):  # the files say it wherever they go
        with pytest.raises(ValueError, match="was trained and measured at 32x32; at 64x48"):
            Anonymizer.load(str(tmp_path / "export" / name))
        loaded = Anonymizer.load(str(tmp_path / "export" / name), allow_untested_size=True)
        assert loaded.network.size == (64, 48) and loaded.network.tested_size == (32, 32)
        assert loaded(np.zeros((2, 64, 48, 3), np.uint8)).shape == (2, 64, 48, 3)


def test_a_stopped_export_is_one_line(monkeypatch, capsys):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "run_export", stopped)
    assert export.export_and_report(ExportOptions(run_dir="x")) == 130
    assert capsys.readouterr().err == "tfanon.export: interrupted. Run it again to start over.\n"


def test_the_table():
    record = {
        "comparisons": {
            "a.tflite": {"dtype": "uint8", "largest_difference": 0.0123, "psnr": 40.04}
        },
        "artefacts": {
            "a.tflite": {
                "bytes": 1_500_000,
                "milliseconds": {"1": 10.0, "2": 6.0},
                "cpu_milliseconds": 9.5,
                "peak_mib": 50.2,
                "judged": {"action_top1": 0.5, "images": {"cmap": 0.25, "f1": 0.1}},
            }
        },
        "keras": {"action_top1": 0.51, "images": {"cmap": 0.26, "f1": 0.1}},
    }
    head, rule, keras, row = summary.format_export_table(record, markdown=True).splitlines()
    assert head == (
        "| file | MB | CPU ms | ms, 1 thread | ms, 2 threads | peak MiB | largest | PSNR dB "
        "| top-1 | images cMAP |"
    )
    assert keras == "| Keras | - | - | - | - | - | - | - | 51.0 | 26.0 |"
    assert row == "| a.tflite | 1.50 | 9.5 | 10.0 | 6.0 | 50 | 0.012 | 40.0 | 50.0 | 25.0 |"
