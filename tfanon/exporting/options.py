"""Every setting of tfanon.export; field names are flag names."""

import dataclasses

from tfanon.core.config import flag
from tfanon.exporting import exporter


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which files are made of a run's f_A, what they must live up to, and where they go."""

    run_dir: str = flag("", "Folder of a finished run: --workdir of tfanon.train.")
    output: str = flag("", "Folder of the files; empty: export/ in the run's folder.")
    data_dir: str = flag("", "Where the run's data is now; empty: where the run found it.")
    formats: tuple = flag(exporter.FORMATS[:2], "Of saved_model, tflite, onnx.")
    quantize: tuple = flag(("none",), "TFLite files: of none, float16, dynamic, int8.")
    size: str = flag(
        "",
        "HxW in pixels at which the files work; empty: the run's resolution. The privacy figures of the "
        "run's table hold for that alone; far from it people may be recognisable: that needs "
        "--allow_untested_size.",
    )
    allow_untested_size: bool = flag(
        False,
        "Export at a size of which a side is more than 1.5 times the run's resolution, "
        "or less than 1/1.5 of it, although f_A may hide far less there than the privacy "
        "figures of the run's table say.",
    )
    fixed_size: bool = flag(False, "SavedModel and ONNX take that size alone, as TFLite does.")
    calibration_frames: int = flag(
        200, "Training frames that show int8 how large numbers become.", low=1, high=5000
    )
    compared_frames: int = flag(
        32, "Test frames on which the files are compared with Keras.", low=1, high=5000
    )
    tolerance: float = flag(
        exporter.TOLERANCE,
        "Largest difference from Keras of a float32 file, pixels in [0, 1].",
        low=0.0,
        high=1.0,
    )
    psnr: float = flag(
        exporter.PSNR, "dB to Keras that a quantized file must reach.", low=0.0, high=200.0
    )
    judge: bool = flag(True, "Measure each file's utility and privacy with the run's judges.")
    eval_clips: int = flag(
        0, "Clips per test video for the judges; 0: as in the run.", low=0, high=50
    )
    points: float = flag(
        1.0,
        "Points of top-1 that a file may lose, and of cMAP that it may leak, against Keras.",
        low=0.0,
        high=100.0,
    )
    aware_steps: int = flag(
        200,
        "Steps in which f_A learns to bear 8 bits where the int8 file would be refused; 0: none.",
        low=0,
        high=100000,
    )
    measure: bool = flag(True, "Measure time and memory of each file, on 1 and on 2 threads.")
    repeats: int = flag(30, "Frames that are timed.", low=1, high=10000)

    serving_dir: str = flag(
        "", "Also lay the SavedModel out for TensorFlow Serving in this folder, as a new version."
    )
    serving_name: str = flag("tfanon", "The model's name there.")
    serving_root: str = flag(
        "", "The path under which the server sees --serving_dir; empty: its own."
    )
