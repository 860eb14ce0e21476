"""What data sets hold: classes, attributes, lengths, sizes, and what chance alone would score on them."""

import collections
import os

import numpy as np
import tqdm

from tfanon.data import verify
from tfanon.media import worker_pool
from tfanon.metrics import scores

SCHEMA_VERSION = 1
WIDEST = 8  # classes and sizes that the text shows


def describe(data_sets, settings):
    """The report: {"schema_version", "data_sets": {name: {"splits", "files", "examples"}}}, as JSON takes it.

    data_sets: of whole.read.  settings: of data/settings.py.  Packets are counted, no frame is decoded.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "data_sets": {
            data_set.name: {
                "splits": data_set.catalog.counts(),
                "files": _files(data_set, settings),
                "examples": {
                    kind: {split: _examples(examples) for split, examples in chosen.items()}
                    for kind, chosen in data_set.kinds().items()
                },
            }
            for data_set in data_sets
        },
    }


def _files(data_set, settings):
    """Lengths in frames and sizes of the files that are there and can be opened."""
    paths = [path for path in verify.full_paths(data_set.catalog) if os.path.isfile(path)]
    done = worker_pool.examine_files(paths, False, settings.seconds_per_file, settings.workers)
    answers = [
        answer
        for _, answer in tqdm.tqdm(done, data_set.name, len(paths), unit="file", disable=None)
    ]
    read = [answer for answer in answers if "error" not in answer]
    sizes = collections.Counter(f"{answer['width']}x{answer['height']}" for answer in read)
    frames = [answer["frames"] for answer in read]
    lengths = (
        dict(zip(("least", "median", "most"), np.percentile(frames, (0, 50, 100)).tolist()))
        if frames
        else {}
    )
    return {
        "listed": len(data_set.catalog),
        "opened": len(read),
        "frames": lengths,
        "sizes": dict(sizes.most_common()),
    }


def _examples(examples):
    """Rows, frequencies and chance floors of one split."""
    about = {"rows": len(examples)}
    if not len(examples):
        return about
    if examples.labels is not None:
        counts = np.bincount(examples.labels, minlength=len(examples.classes)).tolist()
        about |= {
            "classes": dict(zip(examples.classes, counts)),
            "top1_chance": scores.top1_chance(examples.labels),
        }
    if examples.attributes is not None:
        counts = examples.attributes.sum(axis=0).astype(int).tolist()
        about |= {
            "attributes": dict(zip(examples.attribute_names, counts)),
            "cmap_chance": scores.cmap_chance(examples.attributes),
            "f1_chance": scores.macro_f1_chance(examples.attributes),
        }
    return about


def text(report):
    """The report to read."""
    return "\n\n".join(
        "\n".join([name, *_text(about)]) for name, about in report["data_sets"].items()
    )


def _text(about):
    files = about["files"]
    yield f"  {files['listed']} files listed, {files['opened']} opened"
    if files["frames"]:
        yield "  frames: " + ", ".join(
            f"{name} {number:g}" for name, number in files["frames"].items()
        )
        yield f"  sizes: {_most(files['sizes'])}"
    for division, words in about["splits"].items():
        yield f"  split {division}: " + ", ".join(
            f"{word} {count}" for word, count in words.items()
        )
    for kind, splits in about["examples"].items():
        for split, examples in splits.items():
            yield f"  {kind}, {split}: {examples['rows']} rows"
            if examples.get("classes"):
                yield f"    classes: {_most(examples['classes'])}; chance top-1 {examples['top1_chance']:.3f}"
            if examples.get("attributes"):
                for name, count in examples["attributes"].items():
                    yield f"    {name:36}{count:8}{count / examples['rows']:8.3f}"
                yield f"    chance cMAP {examples['cmap_chance']:.3f}, F1 {examples['f1_chance']:.3f}"


def _most(counts):
    """The largest counts, and how many others there are."""
    ranked = collections.Counter(counts).most_common()
    more = f" and {len(ranked) - WIDEST} more" if len(ranked) > WIDEST else ""
    return ", ".join(f"{name} {count}" for name, count in ranked[:WIDEST]) + more
