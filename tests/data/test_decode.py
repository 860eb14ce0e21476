import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import decode
from tfanon.media import array_writer, limits


@pytest.fixture
def paths(tmp_path):
    """Ten images; image i has the grey 20 i. Number 3 is broken."""
    paths: list[str] = []
    for number in range(10):
        path = pathlib.Path(tmp_path, f"{number}.jpg")
        array_writer.write_jpeg(path, np.full((16, 16, 3), 20 * number, np.uint8))
        paths.append(str(path))
    pathlib.Path(paths[3]).write_bytes(b"\xff\xd8\xff broken")
    return paths


def read_all(reader: decode.MediaReader, rows: list[int]) -> list[tuple[int, int]]:
    """Return (grey level, row that was read) for each row."""
    window = tf.constant([[1.0, 0.0, 0.0]])
    positions = tf.data.Dataset.from_tensor_slices(np.array(rows, np.int64))
    mapped = positions.map(lambda row: reader.read(row, 0.0, window))
    with decode.unwrap_errors():
        return [(int(pixels[0, 0, 4, 4, 0]), int(row)) for pixels, row in mapped]


def test_next_readable_file_replaces_an_unreadable_one(paths, caplog):
    reader = decode.MediaReader(paths, 8, "skip", 0.1)
    results = read_all(reader, [2, 3, 4, 3])
    assert [row for _, row in results] == [2, 4, 4, 4]
    np.testing.assert_allclose([grey for grey, _ in results], [40, 80, 80, 80], atol=2)
    assert len(reader.unreadable_rows) == 1
    messages = [record.getMessage() for record in caplog.records]
    (message,) = [message for message in messages if "3.jpg" in message]
    assert "Unreadable file 1 of 10" in message


def test_rows_read_together_equal_rows_read_one_by_one(paths):
    reader = decode.MediaReader(paths, 8, "skip", 0.1)
    rows = [2, 3, 9, 0]  # number 3 is broken
    windows = np.random.default_rng(0).uniform(0.5, 1, [4, 2, 3]).astype(np.float32)
    moments = np.zeros(4, np.float32)
    pixels, used = reader.read_batch(tf.constant(rows, tf.int64), moments, tf.constant(windows))
    assert pixels.shape == (4, 2, 1, 8, 8, 3) and used.numpy().tolist() == [2, 4, 9, 0]
    for number, row in enumerate(rows):
        window = tf.constant(windows[number])
        alone, _ = reader.read(tf.constant(row, tf.int64), moments[number], window)
        np.testing.assert_array_equal(pixels[number], alone)


def test_raise_stops_with_the_name_of_the_file(paths):
    message = r"3.jpg: .*--on_bad_video=skip"
    with pytest.raises(limits.MediaError, match=message) as caught:
        read_all(decode.MediaReader(paths, 8, "raise", 1.0), [3])
    assert "\n" not in str(caught.value)


def test_too_many_unreadable_files_stop_the_run(paths):
    message = r"1 of 10 files cannot be read, more than --max_bad_fraction=0.05.*3.jpg"
    with pytest.raises(ValueError, match=message):
        read_all(decode.MediaReader(paths, 8, "skip", 0.05), [2, 3])


def test_no_readable_file(paths):
    with pytest.raises(limits.MediaError, match="None of the 1 files can be read"):
        read_all(decode.MediaReader(paths[3:4], 8, "skip", 1.0), [0])


def test_other_errors_are_not_changed():
    with pytest.raises(tf.errors.InvalidArgumentError), decode.unwrap_errors():
        tf.debugging.assert_equal(1, 2)


def test_empty_split():
    with pytest.raises(ValueError, match="the split is empty"):
        decode.MediaReader([], 8, "skip", 0.1)


OPEN_AT_THE_END = """
import numpy as np, sys, tensorflow as tf
from tfanon.data import decode
reader = decode.MediaReader(sys.argv[1:], 256, "skip", 1.0)
rows = tf.data.Dataset.range(1000).map(lambda row: row % 2)
images = rows.map(lambda row: reader.read(row, 0.0, tf.ones((4, 3)))[0], num_parallel_calls=4)
iterator = iter(images.batch(100).prefetch(2))  # still reading when the program is over
"""


def test_program_ends_while_files_are_read_ahead(paths):
    command = [sys.executable, "-c", OPEN_AT_THE_END, *paths[:2]]
    done = subprocess.run(command, timeout=100, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
