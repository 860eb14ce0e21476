"""The record of a batch: what became of each file, by what, and how to know the files again.

    manifest.json = {"schema_version": 1, "model": {"name", "sha256"}, "settings": {..},
        "tested_size": [H, W] that the model's privacy figures hold for, "warnings": [..],
        "versions": {..}, "left_out": {
        folder or pattern: {"other_endings": {".txt": 2}, "hidden": 1, "linked_folders": 1, ..}},
        "files": {
        name: {"status": "done", "input": .., "input_sha256": .., "output": .., "output_sha256": .., "frames": ..,
               "seconds": .., "sound": .., "notes": [..], "took": .., "recipe": ..} or {"status": "failed", "input": .., "error": ..}}}

The file is ASCII. A byte of a file's name that is no text stands in it as Python keeps it, \\udc80
to \\udcff, so that os.fsencode gives the name on the disk. "left_out" is what the last command
found in an input and did not take; search.LeftOut says what there is. "notes" are phrases that say
what is otherwise than in the input: HDR tone-mapped, odd sides padded, damage concealed.

Each file's entry is appended to a journal beside it as soon as it is known, so that a batch of any size can be stopped
at any moment; the journal becomes part of manifest.json at the end, or when the batch is taken up again. Several commands
may share both: each appends and merges only while it has the journal's lock, and merges what is on disk.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping

from tfanon.core import files

SCHEMA_VERSION = 1


def get_file_manifest_path(path: str | os.PathLike) -> pathlib.Path:
    """Path of the record of a single file: its own and '.manifest.json', as a disk can hold it."""
    return files.shorten_path(f"{os.fspath(path)}.manifest.json")


def get_folder_manifest_path(settings):
    """Path of the record of a folder of results."""
    return pathlib.Path(settings.manifest or os.path.join(settings.output, "manifest.json"))


class Manifest:
    """The entries of one output.  path: of manifest.json.  about: model, settings and versions of this run.

    left_out: {folder or pattern: what is left out of it}, {} where that is nothing; written with
    the rest at the end.
    Raises ValueError where the file there is something else.
    """

    def __init__(self, path, about, left_out: Mapping[str, dict] | None = None):
        self.path, self.about, self.left_out = pathlib.Path(path), about, dict(left_out or {})
        self.journal_path = self.path.with_name(files.shorten_name(f".{self.path.name}.journal"))
        self.recipe = hashlib.sha256(
            json.dumps([about["model"], about["settings"]], sort_keys=True).encode()
        ).hexdigest()
        self.unsaved = {}  # entries that are not on disk: the disk was full
        self.read()

    def read(self):
        """Take in what other commands have noted since."""
        noted = self._read_journal()  # first: another command may merge it into the whole meanwhile
        found, self.previous_left_out = self._read_manifest()
        self.files = found | noted | self.unsaved

    def finished(self, name, given, target):
        """Whether `target` is what this recipe makes of the file `given` as it is now.

        What came through a pipe or from a camera has no digest of its input, and is no file's result.
        """
        entry = self.files.get(name, {})
        return (
            entry.get("status") == "done"
            and entry.get("recipe") == self.recipe
            and target.is_file()
            and entry.get("input_sha256") == files.compute_sha256(given)
            and entry.get("output_sha256") == files.compute_sha256(target)
        )

    def add_entry(self, name, **entry):
        """Keep an entry, on disk before this returns."""
        self.files[name] = self.unsaved[name] = entry | {"recipe": self.recipe}
        with files.lock_file(self.journal_path) as journal:
            for item in self.unsaved.items():
                journal.write(
                    "\n" + json.dumps(item)
                )  # the line before may have been torn by a kill
            journal.flush()
            os.fsync(journal.fileno())
        self.unsaved.clear()

    def write(self):
        """Everything that any command has noted into manifest.json; the journal is then done with."""
        with files.lock_file(self.journal_path):
            self.read()
            files.remove_leftovers(self.path)
            left_out = self.previous_left_out | self.left_out
            left_out = {source: kinds for source, kinds in left_out.items() if kinds}
            whole = {
                "schema_version": SCHEMA_VERSION,
                **self.about,
                "left_out": left_out,
                "files": dict(sorted(self.files.items())),
            }
            with files.write_atomically(self.path) as unfinished:
                unfinished.write_text(json.dumps(whole, indent=1) + "\n", encoding="ascii")
            self.journal_path.unlink(missing_ok=True)
        self.unsaved.clear()

    def _read_manifest(self):
        """(entries, what was left out) of manifest.json."""
        if not self.path.exists():
            return {}, {}
        try:
            whole = json.loads(self.path.read_text(encoding="utf-8"))
            return dict(whole["files"]), dict(whole.get("left_out", {}))
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{self.path} is no record of tfanon.anonymize; give another --manifest."
            ) from None

    def _read_journal(self):
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self.journal_path.read_text(encoding="utf-8", errors="replace").split("\n"):
                with contextlib.suppress(ValueError):  # an empty line, or one that a kill has torn
                    name, entry = json.loads(line)
                    found[name] = entry
        return found
