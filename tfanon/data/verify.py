"""Check that data sets are on disk as their authors published them. Files are only read.

The kinds of problems, by their names in the report:

    counts        the number of rows of a split, of classes or of listed files is not the published
                  one
    missing       the file is listed, but not on disk
    unreadable    not every frame can be decoded, within the time and the limits
    too_short     the video has fewer frames than a clip (--frames)
    duplicates    files with the same bytes
    leaks         a training and a test list contain the same bytes, or clips of one UCF101 group
"""

import collections
import os
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import tqdm

from tfanon.data.dataset_index import IndexedDataset
from tfanon.data.options import DataOptions
from tfanon.data.probe_cache import ProbeCache
from tfanon.data.published_split import DatasetCatalog
from tfanon.media import limits, worker_pool

SCHEMA_VERSION = 1
PROBLEM_KINDS = ("counts", "missing", "unreadable", "too_short", "duplicates", "leaks")
OPTIONAL_WORD = "val"  # VISPR's validation list, which training does not need
# UCF101: all clips of a group were cut from one video.
UCF101_GROUP = re.compile(r"v_\w+_g\d\d(?=_c\d\d\.avi$)")

Answers = Mapping[str, dict[str, Any]]  # {path: answer of `media.probe.examine_file`}


def verify_datasets(
    datasets: Sequence[IndexedDataset],
    frames: int,
    options: DataOptions,
    cache_path: str,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Decode every file of some data sets and compare them with what was published.

    Args:
        datasets: As `dataset_index.read_datasets` returns them.
        frames: T, frames of a clip.
        options: How files are examined.
        cache_path: File that keeps the results of examined files, for the next run.
        notes: As `dataset_index.find_leaks` returns them; each counts as a problem.

    Returns:
        {"schema_version", "problems": number, "notes", "data_sets": {name: {.., kind: [..]}}},
        ready for JSON.
    """
    paths: dict[str, None] = {}  # each once, in order
    for dataset in datasets:
        paths.update(dict.fromkeys(dataset.catalog.list_full_paths()))
    with ProbeCache(cache_path) as cache:
        # Missing files have no answer, which `_check_dataset` reports.
        answers = probe_files([path for path in paths if os.path.isfile(path)], cache, options)
    reports = {dataset.name: _check_dataset(dataset, answers, frames) for dataset in datasets}
    problems = len(notes)
    for report in reports.values():
        problems += sum(len(report[kind]) for kind in PROBLEM_KINDS)
    return {
        "schema_version": SCHEMA_VERSION,
        "problems": problems,
        "notes": list(notes),
        "data_sets": reports,
    }


def probe_files(
    paths: Sequence[str], cache: ProbeCache, options: DataOptions
) -> dict[str, dict[str, Any]]:
    """Examine files in child processes, except those whose results are cached.

    Args:
        paths: Files that exist.
        cache: Results of earlier runs; new ones are added.
        options: Time limit and number of processes.

    Returns:
        {path: answer of `media.probe.examine_file`}.
    """
    answers: dict[str, dict[str, Any]] = {}
    remaining: list[str] = []
    for path in paths:
        cached = cache.get(path)
        if cached:
            answers[path] = cached
        else:
            remaining.append(path)
    # True: every frame is decoded, since a damaged file may still open.
    for path, answer in examine_with_progress(remaining, True, "verify", options):
        cache.add(path, answer)
        answers[path] = answer
    return answers


def examine_with_progress(
    paths: Sequence[str], whole: bool, title: str, options: DataOptions
) -> Iterable[tuple[str, dict[str, Any]]]:
    """Examine files in child processes and show a progress bar.

    Args:
        paths: Files that exist.
        whole: Whether every frame is decoded, and not only counted.
        title: Title of the progress bar.
        options: Time limit and number of processes.

    Returns:
        (path, answer of `media.probe.examine_file`), in the order in which they finish.
    """
    examined = worker_pool.examine_files(paths, whole, options.seconds_per_file, options.workers)
    # disable=None: no progress bar where the output is not a terminal.
    return tqdm.tqdm(examined, title, len(paths), unit="file", disable=None)


def _check_dataset(dataset: IndexedDataset, answers: Answers, frames: int) -> dict[str, Any]:
    """Return the report on one data set."""
    catalog = dataset.catalog
    missing: list[str] = []
    unreadable: list[dict[str, Any]] = []
    too_short: list[dict[str, Any]] = []
    digests: dict[str, str] = {}  # of the readable files
    # A list may repeat a path; each file is reported once.
    full_paths = dict(zip(catalog.paths, catalog.list_full_paths(), strict=True))
    for path, full_path in full_paths.items():
        answer = answers.get(full_path)
        if not answer:
            missing.append(path)
        elif "error" in answer:
            unreadable.append({"path": path, "error": answer["error"]})
        else:
            digests[path] = answer["sha256"]
            if limits.is_video_path(path) and answer["frames"] < frames:
                too_short.append({"path": path, "frames": answer["frames"]})
    duplicates = _group_by_value(digests)
    return {
        "listed": len(catalog),
        "readable": len(digests),
        "splits": catalog.count_rows(),
        "published": dataset.published,
        "counts": _compare_counts(dataset),
        "missing": missing,
        "unreadable": unreadable,
        "too_short": too_short,
        "duplicates": duplicates,
        "leaks": _find_leaks(catalog, duplicates),
    }


def _compare_counts(dataset: IndexedDataset) -> list[str]:
    """Return lines such as "split 1 train: 9537 published, 9536 listed".

    An official validation list may be absent; the number of files is not compared then.
    """
    catalog, published = dataset.catalog, dataset.published
    split_counts = catalog.count_rows()
    counts: dict[str, tuple[int, int]] = {}  # {description: (published, listed)}
    for name, listed in (("files", len(catalog)), ("classes", len(catalog.classes))):
        if name in published:
            counts[name] = published[name], listed
    for division, published_words in published.get("splits", {}).items():
        listed_words = split_counts[division]
        is_absent = OPTIONAL_WORD in published_words and OPTIONAL_WORD not in listed_words
        if is_absent:
            del counts["files"]
        for word, published_count in published_words.items():
            if not (is_absent and word == OPTIONAL_WORD):
                counts[f"split {division} {word}"] = published_count, listed_words.get(word, 0)
    lines: list[str] = []
    for description, (published_count, listed_count) in counts.items():
        if published_count != listed_count:
            lines.append(f"{description}: {published_count} published, {listed_count} listed")
    return lines


def _group_by_value(values: Mapping[str, Hashable]) -> list[list[str]]:
    """Return lists of the keys that share a value with another key."""
    groups: dict[Hashable, list[str]] = collections.defaultdict(list)
    for key, value in values.items():
        groups[value].append(key)
    return [keys for keys in groups.values() if len(keys) > 1]


def _find_leaks(catalog: DatasetCatalog, duplicates: list[list[str]]) -> list[dict[str, Any]]:
    """Return groups of related files that are in a training list and in a test list."""
    group_names: dict[str, str] = {}
    for path in catalog.paths:
        match = UCF101_GROUP.search(path)
        if match:
            group_names[path] = match[0]  # without the number of the clip
    related = duplicates + _group_by_value(group_names)
    leaks: list[dict[str, Any]] = []
    for division, words in catalog.splits.items():
        split_by_path = dict(zip(catalog.paths, words.tolist(), strict=True))
        for paths in related:
            if {"train", "test"} <= {split_by_path[path] for path in paths}:
                leaks.append({"split": division, "paths": paths})
    return leaks


def format_summary(report: Mapping[str, Any], path: str) -> str:
    """Format a report as one screen: a line per data set, and the first problem of each kind.

    Args:
        report: As `verify_datasets` returns it.
        path: File that the whole report is written to.
    """
    heads = "".join(f"{kind:>12}" for kind in PROBLEM_KINDS)
    lines = [f"{'data set':24}{'listed':>8}{'readable':>10}{heads}"]
    for name, dataset_report in report["data_sets"].items():
        counts = "".join(f"{len(dataset_report[kind]):12}" for kind in PROBLEM_KINDS)
        lines.append(
            f"{name:24}{dataset_report['listed']:8}{dataset_report['readable']:10}{counts}"
        )
    for name, dataset_report in report["data_sets"].items():
        for kind in PROBLEM_KINDS:
            findings = dataset_report[kind]
            if findings:
                more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
                lines.append(f"{name}, {kind}: {_format_finding(findings[0])}{more}")
    lines += report["notes"]
    problems = report["problems"]
    ending = "" if problems == 1 else "s"
    lines.append(f"{problems or 'No'} problem{ending}; the full report is in {path}.")
    return "\n".join(lines)


def _format_finding(finding: Any) -> str:
    """Format one entry of a report on one line."""
    if isinstance(finding, list):
        return " = ".join(finding)
    if not isinstance(finding, dict):
        return str(finding)
    if finding.get("error"):
        return finding["error"]
    return ", ".join(f"{name} {_format_finding(value)}" for name, value in finding.items())
