"""Whether data sets are on disk as their authors published them. Files are read, never changed or deleted.

What is looked for, by the names in the report:

    counts        rows of a split, classes or listed files other than the published ones
    missing       listed, not on disk
    unreadable    not every frame of it can be decoded, within the time and the limits
    too_short     fewer frames than a clip has (--frames)
    duplicates    files with the same bytes
    leaks         the same bytes, or takes of one UCF101 group, in a training and in a test list
"""

import collections
import os
import re

import tqdm

from tfanon.data.probe_cache import Journal
from tfanon.media import limits, worker_pool

SCHEMA_VERSION = 1
KINDS = ("counts", "missing", "unreadable", "too_short", "duplicates", "leaks")
UNUSED = "val"  # the word of VISPR's validation list
GROUP = re.compile(r"v_\w+_g\d\d(?=_c\d\d\.avi$)")  # UCF101: clips of one group come from one video


def verify(data_sets, frames, settings, journal, notes=()):
    """The report: {"schema_version", "problems": number, "notes", "data_sets": {name: {.., kind of problem: [..]}}}.

    data_sets: of whole.read.  frames: T.  settings: of data/settings.py.  journal: path of the file of answers.
    notes: of data/tables.py: test files of an experiment that it trains on, a problem each.
    """
    paths = dict.fromkeys(path for data_set in data_sets for path in full_paths(data_set.catalog))
    with Journal(journal) as known:
        answers = examine([path for path in paths if os.path.isfile(path)], known, settings)
    reports = {data_set.name: _report(data_set, answers, frames) for data_set in data_sets}
    problems = len(notes) + sum(len(report[kind]) for report in reports.values() for kind in KINDS)
    return {
        "schema_version": SCHEMA_VERSION,
        "problems": problems,
        "notes": list(notes),
        "data_sets": reports,
    }


def full_paths(catalog):
    """Where each file of the catalog should be."""
    return [os.path.join(catalog.root, path) for path in catalog.paths]


def examine(paths, known, settings):
    """{path: answer of media/probe.py}, from the journal where it is known there."""
    answers = {path: answer for path in paths if (answer := known.get(path))}
    todo = [path for path in paths if path not in answers]
    done = worker_pool.examine_files(todo, True, settings.seconds_per_file, settings.workers)
    for path, answer in tqdm.tqdm(done, "verify", len(todo), unit="file", disable=None):
        known.add(path, answer)
        answers[path] = answer
    return answers


def _report(data_set, answers, frames):
    catalog = data_set.catalog
    found = {path: answers.get(full) for path, full in zip(catalog.paths, full_paths(catalog))}
    read = {path: answer for path, answer in found.items() if answer and "error" not in answer}
    same = _groups({path: answer["sha256"] for path, answer in read.items()})
    return {
        "listed": len(catalog),
        "readable": len(read),
        "splits": catalog.counts(),
        "published": data_set.published,
        "counts": _counts(data_set),
        "missing": [path for path, answer in found.items() if not answer],
        "unreadable": [
            {"path": path, "error": answer["error"]}
            for path, answer in found.items()
            if answer and "error" in answer
        ],
        "too_short": [
            {"path": path, "frames": answer["frames"]}
            for path, answer in read.items()
            if limits.is_video_path(path) and answer["frames"] < frames
        ],
        "duplicates": same,
        "leaks": _leaks(catalog, same),
    }


def _counts(data_set):
    """Lines 'split 1 train: 9537 published, 9536 listed'; an official validation list may be absent."""
    catalog, published = data_set.catalog, data_set.published
    listed, splits = {"files": len(catalog), "classes": len(catalog.classes)}, catalog.counts()
    pairs = {name: (published[name], count) for name, count in listed.items() if name in published}
    for division, words in published.get("splits", {}).items():
        absent = {UNUSED} - set(splits[division])
        if absent & set(words):
            del pairs["files"]
        pairs |= {
            f"split {division} {word}": (count, splits[division].get(word, 0))
            for word, count in words.items()
            if word not in absent
        }
    return [
        f"{what}: {count} published, {there} listed"
        for what, (count, there) in pairs.items()
        if count != there
    ]


def _groups(values):
    """Lists of the keys that share a value with another."""
    groups = collections.defaultdict(list)
    for key, value in values.items():
        groups[value].append(key)
    return [keys for keys in groups.values() if len(keys) > 1]


def _leaks(catalog, same):
    """Groups of files, each group in a training and in a test list."""
    takes = _groups({path: group[0] for path in catalog.paths if (group := GROUP.search(path))})
    leaks = []
    for division, words in catalog.splits.items():
        word = dict(zip(catalog.paths, words.tolist()))
        leaks += [
            {"split": division, "paths": group}
            for group in same + takes
            if {"train", "test"} <= {word[path] for path in group}
        ]
    return leaks


def summary(report, path):
    """One screen: a line per data set, and the first problem of each kind.  path: of the whole report."""
    lines = [
        f"{'data set':24}{'listed':>8}{'readable':>10}" + "".join(f"{kind:>12}" for kind in KINDS)
    ]
    for name, about in report["data_sets"].items():
        lines.append(
            f"{name:24}{about['listed']:8}{about['readable']:10}"
            + "".join(f"{len(about[kind]):12}" for kind in KINDS)
        )
    for name, about in report["data_sets"].items():
        for kind in KINDS:
            if about[kind]:
                more = f" (and {len(about[kind]) - 1} more)" if about[kind][1:] else ""
                lines.append(f"{name}, {kind}: {_line(about[kind][0])}{more}")
    problems = report["problems"]
    return "\n".join(
        [
            *lines,
            *report["notes"],
            f"{problems or 'No'} problem{'' if problems == 1 else 's'}; {path} has all of it.",
        ]
    )


def _line(finding):
    if isinstance(finding, list):
        return " = ".join(finding)
    if isinstance(finding, dict):
        return finding.get("error") or ", ".join(
            f"{name} {_line(value)}" for name, value in finding.items()
        )
    return str(finding)
