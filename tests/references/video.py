"""R3D-18, SPAct's dilated R3D-18 and R(2+1)D-18 (Tran et al., arXiv 1711.11248).

The names are those of torchvision.
"""

from collections.abc import Callable

import torch
from torch import nn


def _conv3d(inputs: int, outputs: int, middle: int, stride: int, dilation: int = 1) -> nn.Module:
    time = 1 if dilation > 1 else stride
    return nn.Conv3d(
        inputs, outputs, 3, (time, stride, stride), (dilation, 1, 1), (dilation, 1, 1), bias=False
    )


def _conv2plus1d(
    inputs: int, outputs: int, middle: int, stride: int, dilation: int = 1
) -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(inputs, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(),
        nn.Conv3d(middle, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


class Block(nn.Module):
    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        conv: Callable[..., nn.Module],
        dilation: int,
    ) -> None:
        super().__init__()
        middle = inputs * outputs * 27 // (inputs * 9 + 3 * outputs)
        self.conv1 = nn.Sequential(
            conv(inputs, outputs, middle, stride, dilation), nn.BatchNorm3d(outputs), nn.ReLU()
        )
        self.conv2 = nn.Sequential(conv(outputs, outputs, middle, 1), nn.BatchNorm3d(outputs))
        self.downsample = None
        if stride > 1:
            strides = (1 if dilation > 1 else stride, stride, stride)
            self.downsample = nn.Sequential(
                nn.Conv3d(inputs, outputs, 1, strides, bias=False), nn.BatchNorm3d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return (self.conv2(self.conv1(x)) + shortcut).relu()


class VideoResNet(nn.Module):
    def __init__(self, outputs: int, split: bool = False, dilated: bool = False) -> None:
        super().__init__()
        conv = _conv2plus1d if split else _conv3d
        if split:
            stem = [
                nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
                nn.BatchNorm3d(45),
                nn.ReLU(),
                nn.Conv3d(45, 64, (3, 1, 1), 1, (1, 0, 0), bias=False),
            ]
        else:
            stem = [nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)]
        self.stem = nn.Sequential(*stem, nn.BatchNorm3d(64), nn.ReLU())
        inputs = 64
        for stage in range(1, 5):
            channels = 32 * 2**stage
            stride = 1 if stage == 1 else 2
            dilation = 2 if dilated and stage == 4 else 1
            first = Block(inputs, channels, stride, conv, dilation)
            second = Block(channels, channels, 1, conv, 1)
            setattr(self, f"layer{stage}", nn.Sequential(first, second))
            inputs = channels
        self.fc = nn.Linear(512, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(x.mean((2, 3, 4)))
