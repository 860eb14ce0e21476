import keras
import pytest

from tfanon.core import registry
from tfanon.models import cost, layers, layers_3d


def test_small_network_equals_a_hand_calculation():
    # 3x3, 3 -> 4 channels at stride 2 on 8 x 6: 4 * 3 * 4 outputs of 27.  Dense 4 -> 5: 20.
    # Twice for a batch of two.
    x = keras.Input((None, None, 3))
    y = keras.layers.GlobalAveragePooling2D()(layers.conv2d(x, 4, stride=2))
    model = keras.Model(x, keras.layers.Dense(5)(y))
    assert cost.count_multiply_adds(model, (2, 8, 6, 3)) == 2 * (4 * 3 * 4 * 27 + 20)


def test_reshaping_clips_does_not_change_the_count():
    # (3, 1, 1), 2 -> 4 channels on 4 x 6 x 6: 4 * 36 * 4 outputs of 6.
    # (3, 3, 3) at stride 2: 2 * 9 * 4 outputs of 54.
    for kernel, stride, expected in (
        ((3, 1, 1), 1, 4 * 36 * 4 * 6),
        ((3, 3, 3), 2, 2 * 9 * 4 * 54),
    ):
        layer = layers_3d.Conv3D(4, kernel, stride, padding="same", use_bias=False)
        assert cost.count_multiply_adds(lambda x, training: layer(x), (1, 4, 6, 6, 2)) == expected


@pytest.mark.parametrize(
    "kind, name, arguments, shape, giga",
    [
        ("anonymizers", "unetpp", {}, (1, 224, 224, 3), 12.31),
        ("actions", "i3d_r50", {"classes": 400}, (1, 16, 224, 224, 3), 16.42),
        ("actions", "small3d", {"classes": 6}, (1, 8, 64, 64, 3), 0.10),
        ("privacy", "resnet50", {"attributes": 1000}, (1, 224, 224, 3), 4.09),
        ("privacy", "small_resnet", {"attributes": 5}, (1, 64, 64, 3), 0.014),
    ],
)
def test_networks_have_their_known_costs(kind, name, arguments, shape, giga):
    model = registry.load_module(kind, name).build(**arguments)
    assert cost.count_multiply_adds(model, shape) / 1e9 == pytest.approx(giga, rel=0.02)


def test_unknown_size_raises_an_error():
    model = registry.load_module("privacy", "small_resnet").build(attributes=5)
    with pytest.raises(ValueError, match="not known before it runs"):
        cost.count_multiply_adds(model, (1, None, 64, 3))
