"""image_bytes obeys the orientation of a photograph, and no bytes break the search for it."""

import io
import struct

import clips
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from tfanon.exporting import signatures

SHORT, LONG, ASCII = 3, 4, 2


@pytest.fixture(scope="module")
def served():
    """image_bytes of an f_A that darkens, as a function of a list of JPEGs that returns arrays."""

    def darken(x, training):
        return 0.5 * x

    darken.variables = []
    signature = signatures.ServingModule(darken, size=(24, 24)).make_image_bytes_function()

    def call(images):
        answers = signature(image_bytes=tf.constant(images))["anonymized_bytes"]
        return [np.asarray(Image.open(io.BytesIO(answer))) for answer in answers.numpy()]

    return call


@pytest.fixture(scope="module")
def read_orientation():
    function = tf.function(signatures.read_orientation, autograph=False)
    return function.get_concrete_function(tf.TensorSpec([], tf.string))


def make_tags(orientation, order="<", kind=SHORT):
    """Exif with two tags; order: '<' or '>', as struct has it."""

    def entry(tag, form, value):
        return struct.pack(f"{order}HHI", tag, form, 1) + value.ljust(4, b"\0")

    value = struct.pack(f"{order}{'H' if kind == SHORT else 'I'}", orientation)
    entries = entry(0x010F, ASCII, b"me") + entry(0x0112, kind, value)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, 2)
    return b"Exif\0\0" + head + entries + bytes(4)


def encode(pixels, **options):
    return clips.encode_jpeg(pixels, quality=95, subsampling=0, **options)


def test_the_answer_is_upright(served):
    pixels = clips.make_texture(0, (40, 24))
    images = [
        encode(pixels, exif=make_tags(orientation, order))
        for orientation in range(1, 9)
        for order in "<>"
    ]
    for image, answer in zip(images, served(images)):
        with Image.open(io.BytesIO(image)) as given:
            upright = ImageOps.exif_transpose(given)
        assert answer.shape == np.asarray(upright).shape
        squeezed = upright.resize((24, 24), Image.Resampling.BILINEAR).resize(
            upright.size, Image.Resampling.BILINEAR
        )
        error = np.abs(answer.astype(int) - np.asarray(squeezed) // 2).mean()
        assert error < 9 < 20 < np.abs(answer.astype(int)[::-1] - np.asarray(squeezed) // 2).mean()


@pytest.mark.parametrize("kind", [SHORT, LONG])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [0, 1, 2, 5, 8, 9, 65535])
def test_orientations_are_those_of_exif(read_orientation, orientation, order, kind):
    image = encode(np.zeros((8, 8, 3), np.uint8), exif=make_tags(orientation, order, kind))
    assert read_orientation(tf.constant(image)).numpy() == (
        orientation if 1 <= orientation <= 8 else 1
    )


def test_where_exif_may_stand(read_orientation):
    tags = make_tags(6)
    plain = encode(np.zeros((8, 8, 3), np.uint8))
    segment = b"\xff\xe1" + struct.pack(">H", len(tags) + 2) + tags
    scan = plain.index(b"\xff\xda")
    long_words = b"\xff\xfe\xff\xff" + bytes(65533)
    cases = {
        plain: 1,
        encode(np.zeros((8, 8, 3), np.uint8), exif=tags, icc_profile=bytes(70000)): 6,
        plain[:2] + segment + plain[2:]: 6,
        plain[:scan] + segment + plain[scan:]: 6,
        plain[:2] + b"\xff\xff\xff" + segment[1:] + plain[2:]: 6,  # bytes that only fill up
        plain[:2] + long_words * 3 + segment + plain[2:]: 6,
        plain + segment: 1,  # after the picture
        plain[:2] + segment.replace(b"Exif", b"exif") + plain[2:]: 1,
        plain[:2] + b"\xff\xe1\x00\x08Exif\0\0" + plain[2:]: 1,
        plain[:2]
        + segment.replace(struct.pack("<I", 8), struct.pack("<I", 2**32 - 1))
        + plain[2:]: 1,
    }
    for image, orientation in cases.items():
        assert read_orientation(tf.constant(image)).numpy() == orientation


def test_no_bytes_break_the_search(read_orientation):
    image = encode(np.zeros((8, 8, 3), np.uint8), exif=make_tags(6, ">"))
    rng = np.random.default_rng(0)
    seen = set()
    for number in range(150):
        content = bytearray(image[: rng.integers(0, 120)] if number % 3 else image)
        for place in rng.integers(0, max(len(content), 1), size=4):
            content[place : place + 1] = bytes([rng.integers(256)])
        seen.add(int(read_orientation(tf.constant(bytes(content)))))
    assert seen <= set(range(1, 9)) and len(seen) > 1
