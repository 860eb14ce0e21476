"""The package, its extras, and every version in one place; the README says what became of each package."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "tfanon" / "__init__.py").read_text()).group(1)

TFDS = ["tensorflow-datasets>=4.9.10,<5", "importlib_resources>=6"]  # the second is needed and not asked for by the first

setup(
    name="tfanon",
    version=VERSION,
    description="Train, judge and ship video anonymizers: people can no longer be told, the action still can.",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["tfanon", "tfanon.*"]),
    python_requires=">=3.11,<3.14",
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.13.2,<3.16",
        "tensorboard>=2.21,<3",  # TensorFlow 2.21 no longer brings it
        "absl-py>=2.1",
        "h5py>=3.9",  # looks into a weights file before Keras reads it
        "numpy>=1.26",
        "av>=18",  # writes a video's rotation
        "pillow>=11.3",  # reads AVIF
        "tqdm>=4.66",
    ],
    extras_require={
        "beam": ["apache-beam>=2.77,<3"],  # archives; resolves beside TensorFlow 2.21
        "convert": ["torch>=2.6"],  # reads PyTorch files, without executing them
        "cuda": ["tensorflow[and-cuda]>=2.21,<2.22"],
        "detector": ["keras-hub>=0.32,<0.33"],  # people, as regions
        "heif": ["pillow-heif>=1.1"],  # photographs of phones
        "litert": ["ai-edge-litert>=2.1,<3"],
        "onnx": ["tf2onnx>=1.17,<2", "onnx>=1.17", "onnxruntime>=1.20"],
        "peers": ["decord>=0.6", "opencv-python-headless>=4.10"],  # benchmarks/peers.py reads with them too
        "regions": ["opencv-python-headless>=4.10,<5"],  # of 5 the classical detectors are gone
        "serving": ["tensorflow-serving-api>=2.21,<2.22"],
        "test": ["pytest>=8", "pytest-xdist>=3.6", "scikit-learn>=1.5", "opencv-python-headless>=4.10,<5", *TFDS],
        "tfds": TFDS,
    },
    entry_points={"console_scripts": [
        "tfanon-train = tfanon.train:run",
        "tfanon-anonymize = tfanon.anonymize:run",
        "tfanon-anonymize-archive = tfanon.anonymize_archive:run",
        "tfanon-export = tfanon.export:run",
        "tfanon-sweep = tfanon.sweep:run",
        "tfanon-report = tfanon.report.__main__:run",
        "tfanon-evaluate = tfanon.evaluate:run",
        "tfanon-weights = tfanon.weights:run",
        "tfanon-data = tfanon.data.__main__:run",
    ]},
)
