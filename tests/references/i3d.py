"""I3D-ResNet-50 (Wang et al., arXiv 1711.07971) with the names and strides of two releases.

They are the non-local baseline and pytorchvideo.
"""

import torch
from torch import nn

STAGES = (
    (64, 1, (1, 1, 1)),
    (128, 2, (1, 0, 1, 0)),
    (256, 2, (1, 0, 1, 0, 1, 0)),
    (512, 2, (0, 1, 0)),
)


def _make_convolutions(
    inputs: int, channels: int, stride: int, time: int
) -> list[tuple[nn.Module, nn.Module]]:
    """The three convolutions of a bottleneck and that of its shortcut, with normalizations."""
    sizes = (
        (inputs, channels, (1 + 2 * time, 1, 1), 1, (time, 0, 0)),
        (channels, channels, (1, 3, 3), (1, stride, stride), (0, 1, 1)),
        (channels, 4 * channels, 1, 1, 0),
        (inputs, 4 * channels, 1, (1, stride, stride), 0),
    )
    return [(nn.Conv3d(*size, bias=False), nn.BatchNorm3d(size[1])) for size in sizes]


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int, time: int) -> None:
        super().__init__()
        *convs, shortcut = _make_convolutions(inputs, channels, stride, time)
        for number, (conv, norm) in enumerate(convs, 1):
            setattr(self, f"conv{number}", conv)
            setattr(self, f"bn{number}", norm)
        self.downsample = nn.Sequential(*shortcut) if inputs != 4 * channels else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return (self.bn3(self.conv3(x)) + shortcut).relu()


class NonLocalBaseline(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, (5, 7, 7), 2, (2, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        inputs = 64
        for number, (channels, stride, pattern) in enumerate(STAGES, 1):
            blocks = []
            for time in pattern:
                blocks.append(Bottleneck(inputs, channels, stride, time))
                inputs, stride = 4 * channels, 1
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(2048, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool3d(self.bn1(self.conv1(x)).relu(), (2, 3, 3), 2)
        x = nn.functional.max_pool3d(self.layer1(x), (2, 1, 1))
        return self.fc(self.layer4(self.layer3(self.layer2(x))).mean((2, 3, 4)))


class PytorchvideoBlock(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int, time: int) -> None:
        super().__init__()
        *convs, shortcut = _make_convolutions(inputs, channels, stride, time)
        if inputs != 4 * channels:
            self.branch1_conv, self.branch1_norm = shortcut
        self.branch2 = nn.Module()
        for letter, (conv, norm) in zip("abc", convs):
            setattr(self.branch2, f"conv_{letter}", conv)
            setattr(self.branch2, f"norm_{letter}", norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = self.branch1_norm(self.branch1_conv(x)) if hasattr(self, "branch1_conv") else x
        x = self.branch2.norm_a(self.branch2.conv_a(x)).relu()
        x = self.branch2.norm_b(self.branch2.conv_b(x)).relu()
        return (self.branch2.norm_c(self.branch2.conv_c(x)) + shortcut).relu()


class Pytorchvideo(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        stem, head = nn.Module(), nn.Module()
        stem.conv = nn.Conv3d(3, 64, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False)
        stem.norm = nn.BatchNorm3d(64)
        head.proj = nn.Linear(2048, outputs)
        stages, inputs = [], 64
        for channels, stride, pattern in STAGES:
            stage = nn.Module()
            stage.res_blocks = nn.ModuleList()
            for time in pattern:
                stage.res_blocks.append(PytorchvideoBlock(inputs, channels, stride, time))
                inputs, stride = 4 * channels, 1
            stages.append(stage)
        self.blocks = nn.ModuleList([stem, stages[0], nn.MaxPool3d((2, 1, 1)), *stages[1:], head])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem, *middle, head = self.blocks
        x = nn.functional.max_pool3d(
            stem.norm(stem.conv(x)).relu(), (1, 3, 3), (1, 2, 2), (0, 1, 1)
        )
        for part in middle:
            for block in getattr(part, "res_blocks", [part]):
                x = block(x)
        return head.proj(x.mean((2, 3, 4)))
