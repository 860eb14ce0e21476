"""UNet++ on ResNet-18 at depth 4 (Zhou et al., arXiv 1807.10165).

The names are those of segmentation_models_pytorch.
"""

import torch
from torch import nn

from references import residual

# Node: (channels of the upsampled node, channels of the skips, output channels, upsampled node,
# skips).
NODES = {
    "x_0_0": (256, 128, 256, "e4", ("e3",)),
    "x_1_1": (128, 64, 64, "e3", ("e2",)),
    "x_2_2": (64, 64, 64, "e2", ("e1",)),
    "x_0_1": (256, 128, 128, "x_0_0", ("x_1_1", "e2")),
    "x_1_2": (64, 128, 64, "x_1_1", ("x_2_2", "e1")),
    "x_0_2": (128, 192, 64, "x_0_1", ("x_1_2", "x_2_2", "e1")),
    "x_0_3": (64, 0, 32, "x_0_2", ()),
}


def _make_convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class UnetPlusPlus(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = residual.Stem(18, stages=3)
        self.decoder = nn.Module()
        self.decoder.blocks = nn.ModuleDict()
        for name, (inputs, skips, outputs, _, _) in NODES.items():
            self.decoder.blocks[name] = nn.ModuleDict(
                {
                    "conv1": _make_convolution(inputs + skips, outputs),
                    "conv2": _make_convolution(outputs, outputs),
                }
            )
        self.segmentation_head = nn.Sequential(nn.Conv2d(32, 3, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes = {f"e{number}": value for number, value in enumerate(self.encoder.features(x), 1)}
        for name, (_, _, _, below, skips) in NODES.items():
            upsampled = nn.functional.interpolate(nodes[below], scale_factor=2, mode="nearest")
            joined = torch.cat([upsampled, *(nodes[skip] for skip in skips)], 1)
            block = self.decoder.blocks[name]
            nodes[name] = block["conv2"](block["conv1"](joined))
        return self.segmentation_head(nodes["x_0_3"])
