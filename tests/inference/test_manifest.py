"""The record of a batch survives a kill at any line, and knows what is done."""

import json
import os
import threading

import pytest

from tfanon.core import files
from tfanon.inference.manifest import Manifest, get_file_manifest_path

ABOUT = {
    "model": {"name": "blur", "sha256": "ab"},
    "settings": {"quality": 20},
    "versions": {"av": "18"},
}


@pytest.fixture
def done(tmp_path):
    """(path of the manifest, input, output) with one entry in the journal alone."""
    given, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    given.write_bytes(b"in"), target.write_bytes(b"out")
    Manifest(tmp_path / "manifest.json", ABOUT).add_entry(
        "a",
        status="done",
        input_sha256=files.compute_sha256(given),
        output_sha256=files.compute_sha256(target),
    )
    return tmp_path / "manifest.json", given, target


def test_a_killed_run_is_taken_up(done):
    path, given, target = done
    with open(path.with_name(".manifest.json.journal"), "a") as journal:
        journal.write('\n["b", {"status": "do')  # killed in the middle of a line
    manifest = Manifest(path, ABOUT)
    assert manifest.finished("a", given, target) and list(manifest.files) == ["a"]
    manifest.add_entry("c", status="failed", error="x")
    assert list(Manifest(path, ABOUT).files) == ["a", "c"]
    path.with_name(".unfinished-999999999-manifest.json").write_text("killed while it was written")
    manifest.write()
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "in.mp4",
        "manifest.json",
        "out.mp4",
    ]
    whole = json.loads(path.read_text())
    assert (
        whole["schema_version"] == 1
        and whole["model"] == ABOUT["model"]
        and list(whole["files"]) == ["a", "c"]
    )


@pytest.mark.parametrize(
    "change", ["input", "output", "gone", "settings", "model", "name", "nothing"]
)
def test_what_is_done_is_done_only_as_it_was(done, change):
    path, given, target = done
    about = json.loads(json.dumps(ABOUT))
    if change == "input":
        given.write_bytes(b"other")
    elif change == "output":
        target.write_bytes(b"other")
    elif change == "gone":
        target.unlink()
    elif change == "settings":
        about["settings"]["quality"] = 30
    elif change == "model":
        about["model"]["sha256"] = "cd"
    name = "b" if change == "name" else "a"
    assert Manifest(path, about).finished(name, given, target) == (change == "nothing")


def test_what_came_through_a_pipe_is_no_file_s_result(done):
    path, given, target = done
    Manifest(path, ABOUT).add_entry(
        "a", status="done", input="-", output_sha256=files.compute_sha256(target)
    )
    assert not Manifest(path, ABOUT).finished("a", given, target)


def test_another_version_of_a_package_does_not_undo_it(done):
    path, given, target = done
    assert Manifest(path, ABOUT | {"versions": {"av": "19"}}).finished("a", given, target)


def test_two_commands_keep_each_other_s_entries(tmp_path):
    path = tmp_path / "manifest.json"
    one, other = Manifest(path, ABOUT), Manifest(path, ABOUT)
    one.add_entry("a", status="done"), other.add_entry("b", status="done")
    one.write()
    other.add_entry("c", status="failed", error="x")
    other.write()
    assert list(json.loads(path.read_text())["files"]) == ["a", "b", "c"]
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]


def test_no_entry_is_lost_while_others_write(tmp_path):
    path = tmp_path / "manifest.json"

    def work(name):
        manifest = Manifest(path, ABOUT)
        for number in range(20):
            manifest.add_entry(f"{name}{number:02d}", status="done")
            if number % 3 == 2:
                manifest.write()

    workers = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(Manifest(path, ABOUT).files) == [
        f"{name}{number:02d}" for name in "abc" for number in range(20)
    ]


def test_the_last_entry_of_a_name_counts_whoever_writes_last(tmp_path):
    path = tmp_path / "manifest.json"
    one, other = Manifest(path, ABOUT), Manifest(path, ABOUT)
    one.add_entry("a", status="failed", error="x")
    other.add_entry("a", status="done")
    other.write(), one.write()
    assert json.loads(path.read_text())["files"]["a"]["status"] == "done"


def test_an_entry_that_the_disk_did_not_take_is_tried_again(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path / "manifest.json", ABOUT)

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(files, "lock_file", full)
        manifest.add_entry("a", status="failed", error="x")
    manifest.add_entry("b", status="done")
    assert list(Manifest(tmp_path / "manifest.json", ABOUT).files) == ["a", "b"]


@pytest.mark.parametrize("text", ["no json", "[]", '{"other": 1}', '{"files": 3}'])
def test_another_file_of_that_name_is_left_alone(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(
        ValueError, match="is no record of tfanon.anonymize; give another --manifest"
    ):
        Manifest(tmp_path / "manifest.json", ABOUT)
    assert (tmp_path / "manifest.json").read_text() == text


NAMES = [
    b"a\xff\xfe.mp4",
    b"a\nb.mp4",
    b"a\"'$`\\.mp4",
    "\u00e9\U0001f600.mp4".encode(),
    b"\xf0\x9f.mp4",
    b"\xed\xa0\xbd\xed\xb8\x80.mp4",
]


@pytest.mark.parametrize("merged", [False, True])
def test_names_of_any_bytes_are_kept(tmp_path, merged):
    path, names = tmp_path / "manifest.json", [os.fsdecode(name) for name in NAMES]
    manifest = Manifest(path, ABOUT, {os.fsdecode(b"in\xff"): {"hidden": 1}})
    for name in names:
        manifest.add_entry(name, status="done", input=f"in/{name}")
    if merged:
        manifest.write()
        assert path.read_bytes().isascii()
        left_out = json.loads(path.read_text(encoding="ascii"))["left_out"]
        assert [os.fsencode(source) for source in left_out] == [b"in\xff"]
    found = Manifest(path, ABOUT).files
    assert sorted(os.fsencode(name) for name in found) == sorted(NAMES)
    assert all(entry["input"] == f"in/{name}" for name, entry in found.items())


def test_what_is_left_out_is_what_the_last_command_found(tmp_path):
    path = tmp_path / "manifest.json"
    Manifest(path, ABOUT, {"in": {"hidden": 2}, "other": {"other_endings": {".txt": 1}}}).write()
    Manifest(path, ABOUT, {"in": {}, "more/*": {"folders": 1}, "empty": {}}).write()
    Manifest(path, ABOUT).write()
    whole = json.loads(path.read_text())
    assert whole["left_out"] == {"other": {"other_endings": {".txt": 1}}, "more/*": {"folders": 1}}
    assert whole["schema_version"] == 1 and whole["files"] == {}


def test_a_manifest_of_an_earlier_version_is_taken_up(done):
    path, given, target = done
    Manifest(path, ABOUT).write()
    whole = json.loads(path.read_text())
    del whole["left_out"]
    path.write_text(json.dumps(whole))
    assert Manifest(path, ABOUT, {"in": {"hidden": 1}}).finished("a", given, target)


@pytest.mark.parametrize("length", [9, 242, 255])
def test_names_of_any_length_have_a_manifest_beside_them(tmp_path, length):
    path = get_file_manifest_path(tmp_path / ("x" * (length - 4) + ".mp4"))
    manifest = Manifest(path, ABOUT)
    manifest.add_entry("a", status="done")
    assert list(Manifest(path, ABOUT).files) == ["a"]
    manifest.write()
    assert os.listdir(tmp_path) == [path.name] and path.name.endswith(".mp4.manifest.json")
