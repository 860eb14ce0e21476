"""What data sets contain: classes, attributes, lengths, sizes, and scores at chance level."""

import collections
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfanon.data import verify
from tfanon.data.batch import Examples
from tfanon.data.dataset_index import IndexedDataset
from tfanon.data.options import DataOptions
from tfanon.metrics import scores

SCHEMA_VERSION = 1
MAX_COUNTS_SHOWN = 8  # classes and sizes in the text


def describe_datasets(datasets: Sequence[IndexedDataset], options: DataOptions) -> dict[str, Any]:
    """Count what data sets contain. Packets of videos are counted; no frame is decoded.

    Args:
        datasets: As `dataset_index.read_datasets` returns them.
        options: How files are examined.

    Returns:
        {"schema_version", "data_sets": {name: {"splits", "files", "examples"}}}, ready for JSON.
    """
    descriptions = {dataset.name: _describe_dataset(dataset, options) for dataset in datasets}
    return {"schema_version": SCHEMA_VERSION, "data_sets": descriptions}


def _describe_dataset(dataset: IndexedDataset, options: DataOptions) -> dict[str, Any]:
    split_counts = dataset.catalog.count_rows()
    file_statistics = _describe_files(dataset, options)
    examples: dict[str, dict[str, Any]] = {}
    for kind, splits in dataset.make_kinds().items():
        examples[kind] = {split: _describe_examples(rows) for split, rows in splits.items()}
    return {"splits": split_counts, "files": file_statistics, "examples": examples}


def _describe_files(dataset: IndexedDataset, options: DataOptions) -> dict[str, Any]:
    """Return lengths in frames and sizes in pixels of the files that exist and can be opened."""
    paths = [path for path in dataset.catalog.list_full_paths() if os.path.isfile(path)]
    # False: packets are counted without decoding.
    examined = verify.examine_with_progress(paths, False, dataset.name, options)
    opened = [answer for _, answer in examined if "error" not in answer]
    sizes = collections.Counter(f"{answer['width']}x{answer['height']}" for answer in opened)
    lengths: dict[str, float] = {}
    if opened:
        frame_counts = [answer["frames"] for answer in opened]
        quantiles = np.percentile(frame_counts, (0, 50, 100)).tolist()
        lengths = dict(zip(("least", "median", "most"), quantiles, strict=True))
    return {
        "listed": len(dataset.catalog),
        "opened": len(opened),
        "frames": lengths,
        "sizes": dict(sizes.most_common()),
    }


def _describe_examples(examples: Examples) -> dict[str, Any]:
    """Return the rows, frequencies and chance levels of one split."""
    description: dict[str, Any] = {"rows": len(examples)}
    if not len(examples):
        return description  # chance levels of no rows are undefined
    if examples.labels is not None:
        counts = np.bincount(examples.labels, minlength=len(examples.classes)).tolist()
        description["classes"] = dict(zip(examples.classes, counts, strict=True))
        description["top1_chance"] = scores.top1_chance(examples.labels)
    if examples.attributes is not None:
        counts = examples.attributes.sum(axis=0).astype(int).tolist()
        description["attributes"] = dict(zip(examples.attribute_names, counts, strict=True))
        description["cmap_chance"] = scores.cmap_chance(examples.attributes)
        description["f1_chance"] = scores.macro_f1_chance(examples.attributes)
    return description


def format_description(report: Mapping[str, Any]) -> str:
    """Format the report of `describe_datasets` as text."""
    blocks: list[str] = []
    for name, description in report["data_sets"].items():
        blocks.append("\n".join([name, *_format_dataset(description)]))
    return "\n\n".join(blocks)


def _format_dataset(description: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines on one data set."""
    files = description["files"]
    yield f"  {files['listed']} files listed, {files['opened']} opened"
    if files["frames"]:
        lengths = ", ".join(f"{name} {number:g}" for name, number in files["frames"].items())
        yield f"  frames: {lengths}"
        yield f"  sizes: {_format_largest(files['sizes'])}"
    for division, counts in description["splits"].items():
        rows = ", ".join(f"{word} {count}" for word, count in counts.items())
        yield f"  split {division}: {rows}"
    for kind, splits in description["examples"].items():
        for split, examples in splits.items():
            yield f"  {kind}, {split}: {examples['rows']} rows"
            yield from _format_examples(examples)


def _format_examples(examples: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines on the classes and attributes of one split."""
    if examples.get("classes"):
        classes = _format_largest(examples["classes"])
        yield f"    classes: {classes}; chance top-1 {examples['top1_chance']:.3f}"
    if examples.get("attributes"):
        for name, count in examples["attributes"].items():
            yield f"    {name:36}{count:8}{count / examples['rows']:8.3f}"
        yield f"    chance cMAP {examples['cmap_chance']:.3f}, F1 {examples['f1_chance']:.3f}"


def _format_largest(counts: Mapping[str, int]) -> str:
    """Format the largest counts, and how many more there are."""
    ranked = collections.Counter(counts).most_common()
    text = ", ".join(f"{name} {count}" for name, count in ranked[:MAX_COUNTS_SHOWN])
    if len(ranked) > MAX_COUNTS_SHOWN:
        text += f" and {len(ranked) - MAX_COUNTS_SHOWN} more"
    return text
