r"""The manifest of a batch: what became of each file, by which model, and how to recognise files.

`manifest.json` holds:

    schema_version   1
    model            {"name": .., "sha256": ..}
    settings         {option: value}, of the options that decide how an output looks
    tested_size      [H, W] for which the privacy figures of the model hold
    warnings         lines
    versions         {package: version}
    left_out         {folder or pattern: {"other_endings": {".txt": 2}, "hidden": 1, ..}}
    files            {name: entry}

An entry of a file that was anonymized has the keys "status" ("done"), "input", "input_sha256",
"output", "output_sha256", "frames", "seconds", "sound", "notes", "took" and "recipe"; that of a
file that failed has "status" ("failed"), "input", "error" and "recipe".

The file is ASCII. A byte of a file name that is not valid text is stored as Python keeps it,
\udc80 to \udcff, so that os.fsencode returns the name on the disk. "left_out" is what the last
command found in an input and did not anonymize; its keys are those of
`media_search.LeftOut.make_manifest_entry`. "notes" are phrases that say where an output differs
from its input: HDR tone-mapped, odd sides padded, damage concealed.

Each entry is appended to a journal beside the manifest as soon as it is known, so that a batch of
any size can be interrupted at any moment. The journal is merged into manifest.json at the end, or
when the batch is resumed. Several commands may share both: each appends and merges only while it
holds the lock of the journal, and merges what is on disk.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tfanon.core import files
from tfanon.inference.options import AnonymizeOptions

SCHEMA_VERSION = 1


def get_file_manifest_path(path: str | os.PathLike) -> pathlib.Path:
    """Return the path of the manifest of a single output file, which lies beside it."""
    return files.shorten_path(f"{os.fspath(path)}.manifest.json")


def get_folder_manifest_path(options: AnonymizeOptions) -> pathlib.Path:
    """Return the path of the manifest of a folder of outputs."""
    return pathlib.Path(options.manifest or os.path.join(options.output, "manifest.json"))


class Manifest:
    """The entries of one output file or folder, on disk at any time.

    Args:
        path: Path of manifest.json.
        run_info: What the manifest records about the run as a whole, as `job_runner.describe_run`
            returns it.
        left_out: What is left out of each input folder or pattern, as manifest entries; empty
            where nothing is. Written with the rest at the end.

    Attributes:
        files: Entries by the name of the file.
        recipe: Digest of the model and of the options that decide how an output looks.
        unsaved: Entries that are not on disk yet, since writing them failed.

    Raises:
        ValueError: The file at `path` is not a manifest.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        run_info: Mapping[str, Any],
        left_out: Mapping[str, dict] | None = None,
    ) -> None:
        self.path = pathlib.Path(path)
        self.run_info = run_info
        self.left_out = dict(left_out or {})
        self.journal_path = self.path.with_name(files.shorten_name(f".{self.path.name}.journal"))
        # Keys are sorted, so that the digest does not depend on the order of options.
        recipe = json.dumps([run_info["model"], run_info["settings"]], sort_keys=True)
        self.recipe = hashlib.sha256(recipe.encode()).hexdigest()
        self.unsaved: dict[str, dict[str, Any]] = {}
        self.reload()

    def reload(self) -> None:
        """Read the entries that other commands have added since."""
        # The journal first: another command may merge it into the manifest meanwhile.
        journal_entries = self._read_journal()
        entries, self.previous_left_out = self._read_manifest()
        self.files = entries | journal_entries | self.unsaved

    def is_finished(
        self, name: str, input_path: str | os.PathLike, output_path: pathlib.Path
    ) -> bool:
        """Return whether a file is what this recipe makes of an input as it is now.

        A recording of a pipe or a camera has no digest of its input: it is never the result of a
        file.

        Args:
            name: Name of the entry.
            input_path: The input.
            output_path: The file that may be its result.
        """
        entry = self.files.get(name, {})
        # The digests last, as they read both files from end to end.
        return (
            entry.get("status") == "done"
            and entry.get("recipe") == self.recipe
            and output_path.is_file()
            and entry.get("input_sha256") == files.compute_sha256(input_path)
            and entry.get("output_sha256") == files.compute_sha256(output_path)
        )

    def add_entry(self, name: str, **entry: Any) -> None:
        """Add or replace an entry; it is on disk when this returns.

        Args:
            name: Name of the file.
            **entry: Keys and values of the entry, without the recipe.
        """
        self.files[name] = self.unsaved[name] = entry | {"recipe": self.recipe}
        with files.lock_file(self.journal_path) as journal:
            for item in self.unsaved.items():
                # A kill may have torn the line before: begin a new one.
                journal.write("\n" + json.dumps(item))
            # The file gets its name after this: a power cut must not leave it without an entry.
            journal.flush()
            os.fsync(journal.fileno())
        self.unsaved.clear()

    def write(self) -> None:
        """Merge the entries of all commands into manifest.json and remove the journal."""
        with files.lock_file(self.journal_path):
            self.reload()
            files.remove_leftovers(self.path)
            merged = self.previous_left_out | self.left_out
            content = {
                "schema_version": SCHEMA_VERSION,
                **self.run_info,
                "left_out": {source: kinds for source, kinds in merged.items() if kinds},
                "files": dict(sorted(self.files.items())),
            }
            files.write_json_atomically(self.path, content, sort_keys=False)
            self.journal_path.unlink(missing_ok=True)
        self.unsaved.clear()

    def _read_manifest(self) -> tuple[dict[str, dict], dict[str, dict]]:
        """Return the entries of manifest.json, and what was left out."""
        if not self.path.exists():
            return {}, {}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            # Earlier versions wrote no "left_out".
            return dict(content["files"]), dict(content.get("left_out", {}))
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{self.path} is not a manifest of tfanon.anonymize; choose another file with "
                "--manifest."
            ) from None

    def _read_journal(self) -> dict[str, dict]:
        """Return the entries of the journal."""
        try:
            text = self.journal_path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return {}
        entries = {}
        for line in text.split("\n"):
            with contextlib.suppress(ValueError):  # an empty line, or one that a kill has torn
                name, entry = json.loads(line)
                entries[name] = entry
        return entries
