import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import decode
from tfanon.media import array_writer, frame_reader


@pytest.fixture
def paths(tmp_path):
    """Ten images; image i has the grey 20 i. Number 3 is broken."""
    for number in range(10):
        array_writer.write_jpeg(
            tmp_path / f"{number}.jpg", np.full((16, 16, 3), 20 * number, np.uint8)
        )
    (tmp_path / "3.jpg").write_bytes(b"\xff\xd8\xff broken")
    return [str(tmp_path / f"{number}.jpg") for number in range(10)]


def read_all(files, rows):
    window = tf.constant([[1.0, 0.0, 0.0]])
    mapped = tf.data.Dataset.from_tensor_slices(np.array(rows, np.int64)).map(
        lambda row: files.read(row, 0.0, window)
    )
    with decode.unwrap_errors():
        return [(int(pixels[0, 0, 4, 4, 0]), int(row)) for pixels, row in mapped]


def test_the_next_readable_file_takes_the_place(paths, caplog):
    files = decode.MediaReader(paths, 8, "skip", 0.1)
    got = read_all(files, [2, 3, 4, 3])
    assert [row for _, row in got] == [2, 4, 4, 4]
    np.testing.assert_allclose([grey for grey, _ in got], [40, 80, 80, 80], atol=2)
    assert len(files.unreadable_rows) == 1
    named = [record for record in caplog.records if "3.jpg" in record.getMessage()]
    assert len(named) == 1 and "Unreadable file 1 of 10" in named[0].getMessage()


def test_rows_that_are_read_together_are_those_read_one_by_one(paths):
    files, rows = decode.MediaReader(paths, 8, "skip", 0.1), [2, 3, 9, 0]  # number 3 is broken
    windows = np.random.default_rng(0).uniform(0.5, 1, [4, 2, 3]).astype(np.float32)
    moments = np.zeros(4, np.float32)
    pixels, used = files.read_some(tf.constant(rows, tf.int64), moments, tf.constant(windows))
    assert pixels.shape == (4, 2, 1, 8, 8, 3) and used.numpy().tolist() == [2, 4, 9, 0]
    for number, row in enumerate(rows):
        alone, _ = files.read(
            tf.constant(row, tf.int64), moments[number], tf.constant(windows[number])
        )
        np.testing.assert_array_equal(pixels[number], alone)


def test_raise_stops_with_the_name(paths):
    with pytest.raises(frame_reader.MediaError, match=r"3.jpg: .*--on_bad_video=skip") as caught:
        read_all(decode.MediaReader(paths, 8, "raise", 1.0), [3])
    assert "\n" not in str(caught.value)


def test_too_many_bad_files_stop_the_run(paths):
    with pytest.raises(
        ValueError, match=r"1 of 10 files cannot be read, more than --max_bad_fraction=0.05.*3.jpg"
    ):
        read_all(decode.MediaReader(paths, 8, "skip", 0.05), [2, 3])


def test_nothing_readable(paths):
    with pytest.raises(frame_reader.MediaError, match="None of the 1 files can be read"):
        read_all(decode.MediaReader(paths[3:4], 8, "skip", 1.0), [0])


def test_other_errors_pass():
    with pytest.raises(tf.errors.InvalidArgumentError), decode.unwrap_errors():
        tf.debugging.assert_equal(1, 2)


def test_an_empty_split():
    with pytest.raises(ValueError, match="the split is empty"):
        decode.MediaReader([], 8, "skip", 0.1)


OPEN_AT_THE_END = """
import numpy as np, sys, tensorflow as tf
from tfanon.data import decode
files = decode.Files(sys.argv[1:], 256, "skip", 1.0)
rows = tf.data.Dataset.range(1000).map(lambda row: row % 2)
images = rows.map(lambda row: files.read(row, 0.0, tf.ones((4, 3)))[0], num_parallel_calls=4)
iterator = iter(images.batch(100).prefetch(2))  # still reading when the program is over
"""


def test_a_program_ends_while_files_are_read_ahead(paths):
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AT_THE_END, *paths[:2]], timeout=100, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
