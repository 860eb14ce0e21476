"""UNet++ on ResNet-18 at depth 4 with segmentation_models_pytorch's names (Zhou et al., arXiv 1807.10165)."""

import torch
from torch import nn

from references import residual

# node: (input channels, of which skips, output channels, what is doubled, what stands behind it)
NODES = {
    "x_0_0": (256, 128, 256, "e4", ("e3",)),
    "x_1_1": (128, 64, 64, "e3", ("e2",)),
    "x_2_2": (64, 64, 64, "e2", ("e1",)),
    "x_0_1": (256, 128, 128, "x_0_0", ("x_1_1", "e2")),
    "x_1_2": (64, 128, 64, "x_1_1", ("x_2_2", "e1")),
    "x_0_2": (128, 192, 64, "x_0_1", ("x_1_2", "x_2_2", "e1")),
    "x_0_3": (64, 0, 32, "x_0_2", ()),
}


def _conv(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class UnetPlusPlus(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = residual.Stem(18, stages=3)
        self.decoder = nn.Module()
        self.decoder.blocks = nn.ModuleDict()
        for name, (inputs, skips, outputs, _, _) in NODES.items():
            self.decoder.blocks[name] = nn.ModuleDict(
                {"conv1": _conv(inputs + skips, outputs), "conv2": _conv(outputs, outputs)}
            )
        self.segmentation_head = nn.Sequential(nn.Conv2d(32, 3, 3, padding=1))

    def forward(self, x):
        found = {f"e{number}": value for number, value in enumerate(self.encoder.features(x), 1)}
        for name, (_, _, _, below, behind) in NODES.items():
            double = nn.functional.interpolate(found[below], scale_factor=2, mode="nearest")
            block = self.decoder.blocks[name]
            found[name] = block["conv2"](
                block["conv1"](torch.cat([double, *(found[skip] for skip in behind)], 1))
            )
        return self.segmentation_head(found["x_0_3"])
