"""tfanon.export from settings to files, and what it says where it cannot."""

import json
import pathlib
import sys
import types

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "exporting"))

from runs import workdir  # noqa: E402, F401  a fixture

from tfanon import export  # noqa: E402
from tfanon.exporting import aware, quality_check, summary, warmup  # noqa: E402
from tfanon.exporting.options import Settings  # noqa: E402
from tfanon.inference.anonymizer import Anonymizer  # noqa: E402

KERAS = {
    "action_top1": 0.5,
    "images": {"cmap": 0.6, "f1": 0.5},
}  # what a judge finds behind f_A itself
LOSING, LEAKING = KERAS | {"action_top1": 0.48}, KERAS | {"images": {"cmap": 0.62, "f1": 0.5}}


def test_files_are_proved_judged_and_measured(workdir, capsys):
    assert (
        export.report(
            Settings(
                run_dir=str(workdir),
                formats=("tflite",),
                quantize=("none", "int8"),
                psnr=20.0,
                points=100.0,
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
    assert summary.format_table(record) in capsys.readouterr().out


def test_a_refused_file_makes_the_exit_status(workdir, tmp_path, capsys):
    assert (
        export.report(
            Settings(
                run_dir=str(workdir),
                output=str(tmp_path / "export"),
                formats=("tflite",),
                quantize=("none", "dynamic"),
                psnr=190.0,
                judge=False,
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
    "first, second, reason",
    [
        (LOSING, KERAS, "loses 2.0 points of action top-1"),
        (LEAKING, LOSING, "leaks 2.0 points of cMAP"),
    ],
)
def test_the_judges_verdict_has_f_A_fine_tuned_once(
    workdir, tmp_path, monkeypatch, capsys, first, second, reason
):
    verdicts, steps_taken = (
        iter([KERAS, first, second]),
        [],
    )  # on f_A, on its file, on the file of the tuned f_A
    monkeypatch.setattr(
        quality_check,
        "Judges",
        lambda *given: types.SimpleNamespace(scores=lambda f: next(verdicts)),
    )

    def fine_tuned(f_A, frames, steps):
        steps_taken.append((len(frames), steps))
        return f_A

    monkeypatch.setattr(aware, "fine_tuned", fine_tuned)
    status = export.report(
        Settings(
            run_dir=str(workdir),
            output=str(tmp_path),
            formats=("tflite",),
            quantize=("int8",),
            psnr=20.0,
            measure=False,
            compared_frames=2,
            calibration_frames=4,
            aware_steps=7,
        )
    )
    name, record = "anonymizer_int8.tflite", json.loads((tmp_path / "export.json").read_text())
    assert steps_taken == [(4, 7)] and next(verdicts, None) is None
    assert reason in record["fine_tuned"][name]
    assert f"f_A was fine-tuned for {name}, since {name} {reason}" in capsys.readouterr().err
    kept = second == KERAS
    assert (status == 0) == kept == (tmp_path / name).exists() == (name not in record["refused"])
    assert record["artefacts"] == (
        {name: {"bytes": (tmp_path / name).stat().st_size, "judged": KERAS}} if kept else {}
    )


def test_a_version_for_tensorflow_serving(workdir, tmp_path, capsys):
    pytest.importorskip("tensorflow_serving.apis")
    assert (
        export.report(
            Settings(
                run_dir=str(workdir),
                output=str(tmp_path / "export"),
                formats=("saved_model",),
                judge=False,
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
    assert f"TensorFlow Serving finds it as {version}." in capsys.readouterr().err
    graph = "saved_model.pb"
    assert (version / graph).read_bytes() == (
        tmp_path / "export" / "saved_model" / graph
    ).read_bytes()
    assert (version / warmup.NAME).stat().st_size > 0
    assert 'base_path: "/models/faces"' in (tmp_path / "models" / "models.config").read_text()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "Which run? Give --run_dir"),
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
def test_one_clear_line(settings, message, capsys):
    assert export.report(Settings(**settings)) == 1
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1


def test_a_size_far_from_the_trained_one(workdir, tmp_path, capsys):
    asked = dict(
        run_dir=str(workdir),
        output=str(tmp_path / "export"),
        formats=("tflite", "saved_model"),
        judge=False,
        measure=False,
        compared_frames=2,
        calibration_frames=2,
    )
    assert export.report(Settings(size="64x48", **asked)) == 1
    said = capsys.readouterr().err
    assert (
        f"The f_A of {workdir} was trained and measured at 32x32; at 64x48 it may hide far less"
        in said
    )
    assert (
        "or give --allow_untested_size" in said
        and len(said.splitlines()) == 1
        and not (tmp_path / "export").exists()
    )
    assert export.report(Settings(size="64x48", allow_untested_size=True, **asked)) == 0
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

    monkeypatch.setattr(export, "work", stopped)
    assert export.report(Settings(run_dir="x")) == 130
    assert capsys.readouterr().err == "tfanon.export: stopped; the same command begins anew.\n"


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
    head, rule, keras, row = summary.format_table(record, markdown=True).splitlines()
    assert head == (
        "| file | MB | CPU ms | ms, 1 thread | ms, 2 threads | peak MiB | largest | PSNR dB | top-1 | images cMAP |"
    )
    assert keras == "| Keras | - | - | - | - | - | - | - | 51.0 | 26.0 |"
    assert row == "| a.tflite | 1.50 | 9.5 | 10.0 | 6.0 | 50 | 0.012 | 40.0 | 50.0 | 25.0 |"
