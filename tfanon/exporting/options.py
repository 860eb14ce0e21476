"""Options of `tfanon.export`; field names are flag names."""

import dataclasses

from tfanon.core.config import flag
from tfanon.exporting import exporter


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Which files are made of a run's f_A, what they must pass, and where they go."""

    run_dir: str = flag(
        "", "Folder of a finished run: the --workdir of tfanon.train.", group="Input and output"
    )
    output: str = flag("", "Folder to write; empty: export/ in the run's folder.")
    data_dir: str = flag("", "Folder of the data sets; empty: as in the run.")

    formats: tuple[str, ...] = flag(
        exporter.FORMATS[:2], "Any of saved_model, tflite and onnx.", group="Files"
    )
    quantize: tuple[str, ...] = flag(
        ("none",), "TFLite files: any of none, float16, dynamic and int8."
    )
    size: str = flag(
        "",
        "HxW in pixels at which the files work; empty: the run's resolution. The privacy figures "
        "of the run hold for its resolution only; far from it people may be recognisable, which "
        "needs --allow_untested_size.",
    )
    allow_untested_size: bool = flag(
        False,
        "Export at a size with a side more than 1.5 times the run's resolution, or less than 1/1.5 "
        "of it, although f_A may hide far less there than its privacy figures say.",
    )
    fixed_size: bool = flag(False, "SavedModel and ONNX accept --size only, as TFLite always does.")
    calibration_frames: int = flag(
        200, "Training frames that calibrate the range of activations for int8.", low=1, high=5000
    )

    compared_frames: int = flag(
        32,
        "Test frames on which the files are compared with Keras.",
        low=1,
        high=5000,
        group="Checks",
    )
    tolerance: float = flag(
        exporter.DEFAULT_TOLERANCE,
        "Largest difference of a float32 file from Keras, pixels in [0, 1].",
        low=0.0,
        high=1.0,
    )
    psnr: float = flag(
        exporter.DEFAULT_MIN_PSNR,
        "Smallest PSNR of a quantized file to Keras, in dB.",
        low=0.0,
        high=200.0,
    )
    check_quality: bool = flag(
        True,
        "Measure utility and leakage of each file with the evaluator and attackers of the run.",
        alias="judge",
    )
    eval_clips: int = flag(
        0, "Clips per test video in that measurement; 0: as in the run.", low=0, high=50
    )
    max_metric_drop: float = flag(
        1.0,
        "Percentage points of top-1 that a file may lose, and of cMAP that it may leak more, "
        "compared with Keras.",
        low=0.0,
        high=100.0,
        alias="points",
    )
    measure: bool = flag(True, "Measure time and memory of each file with 1 and with 2 threads.")
    repeats: int = flag(30, "Frames that are timed.", low=1, high=10000)

    serving_dir: str = flag(
        "",
        "Also add the SavedModel to this TensorFlow Serving folder as a new version.",
        group="TensorFlow Serving",
    )
    serving_name: str = flag("tfanon", "Name of the model on the server.")
    serving_root: str = flag(
        "", "Path under which the server sees --serving_dir; empty: the same path."
    )
