"""ResNet-18 to 152 with torchvision's names (He et al., arXiv 1512.03385).

The stride is in the 3x3 convolution.
"""

from collections.abc import Sequence

import torch
from torch import nn

REPEATS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class Block(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int, kernels: Sequence[int]) -> None:
        super().__init__()
        if len(kernels) == 3:
            widths, strides = [inputs, channels, channels, 4 * channels], (1, stride, 1)
        else:
            widths, strides = [inputs, channels, channels], (stride, 1)
        self.count = len(kernels)
        for number, (kernel, step) in enumerate(zip(kernels, strides), 1):
            conv = nn.Conv2d(
                widths[number - 1], widths[number], kernel, step, kernel // 2, bias=False
            )
            setattr(self, f"conv{number}", conv)
            setattr(self, f"bn{number}", nn.BatchNorm2d(widths[number]))
        self.downsample = None
        if stride > 1 or inputs != widths[-1]:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, widths[-1], 1, stride, bias=False), nn.BatchNorm2d(widths[-1])
            )
        self.outputs = widths[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        for number in range(1, self.count + 1):
            x = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x))
            x = x.relu() if number < self.count else x
        return (x + shortcut).relu()


class Stem(nn.Module):
    """conv1, bn1 and layer1 to layer4, of which `stages` are used."""

    def __init__(self, depth: int, stages: int = 4) -> None:
        super().__init__()
        kernels = (1, 3, 1) if depth >= 50 else (3, 3)
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs, self.stages = 64, stages
        for stage, repeats in enumerate(REPEATS[depth]):
            blocks = []
            stride = 2 if stage else 1
            for _ in range(repeats):
                blocks.append(Block(inputs, 64 * 2**stage, stride, kernels))
                inputs, stride = blocks[-1].outputs, 1
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.outputs = inputs

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Outputs of stem and stages, at a half, a quarter, ... of the image's size."""
        features = [self.bn1(self.conv1(x)).relu()]
        x = nn.functional.max_pool2d(features[0], 3, 2, 1)
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
            features.append(x)
        return features


class ResNet(Stem):
    def __init__(self, depth: int, outputs: int) -> None:
        super().__init__(depth)
        self.fc = nn.Linear(self.outputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.features(x)[-1].mean((2, 3)))
