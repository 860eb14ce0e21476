import numpy as np
import pytest

from tfanon.core import registry


@pytest.mark.parametrize("name", ["unetpp", "raw", "downsample", "blur"])
@pytest.mark.parametrize("shape", [(2, 3, 32, 48, 3), (1, 5, 16, 16, 3)])
def test_clip_is_anonymized_frame_by_frame(name, shape):
    f_A = registry.load_module("anonymizers", name).build(width=0.1, output="sigmoid")
    clips = np.random.default_rng(0).random(shape, "float32")
    anonymized = f_A(clips)
    assert anonymized.shape == shape and anonymized.dtype == "float32"
    for t in range(shape[1]):
        np.testing.assert_allclose(anonymized[:, t], f_A(clips[:, t]), atol=1e-5)


@pytest.mark.parametrize(
    "shape, message",
    [
        (
            (1, 40, 32, 3),
            "H must be a multiple of 16, not 40 .H x W is 40 x 32.. The nearest is 32",
        ),
        (
            (1, 2, 32, 7, 3),
            "W must be a multiple of 16, not 7 .H x W is 32 x 7.. The nearest is 16",
        ),
        ((32, 32, 3), "takes frames"),
        ((1, 32, 32, 1), "takes frames"),
    ],
)
def test_unsupported_shape_raises_an_error(shape, message):
    f_A = registry.load_module("anonymizers", "unetpp").build(width=0.1)
    with pytest.raises(ValueError, match=message):
        f_A(np.zeros(shape, "float32"))
