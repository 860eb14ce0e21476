"""R3D-18, SPAct's dilated R3D-18 and R(2+1)D-18 with torchvision's names (Tran et al., arXiv 1711.11248)."""

from torch import nn


def _whole(inputs, outputs, middle, stride, dilation=1):
    time = 1 if dilation > 1 else stride
    return nn.Conv3d(
        inputs, outputs, 3, (time, stride, stride), (dilation, 1, 1), (dilation, 1, 1), bias=False
    )


def _split(inputs, outputs, middle, stride, dilation=1):
    return nn.Sequential(
        nn.Conv3d(inputs, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(),
        nn.Conv3d(middle, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, conv, dilation):
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

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return (self.conv2(self.conv1(x)) + shortcut).relu()


class VideoResNet(nn.Module):
    def __init__(self, outputs, split=False, dilated=False):
        super().__init__()
        conv = _split if split else _whole
        self.stem = nn.Sequential(
            *(
                [
                    nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
                    nn.BatchNorm3d(45),
                    nn.ReLU(),
                    nn.Conv3d(45, 64, (3, 1, 1), 1, (1, 0, 0), bias=False),
                ]
                if split
                else [nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)]
            ),
            nn.BatchNorm3d(64),
            nn.ReLU(),
        )
        inputs = 64
        for stage in range(1, 5):
            channels, dilation = 32 * 2**stage, 2 if dilated and stage == 4 else 1
            setattr(
                self,
                f"layer{stage}",
                nn.Sequential(
                    Block(inputs, channels, 1 if stage == 1 else 2, conv, dilation),
                    Block(channels, channels, 1, conv, 1),
                ),
            )
            inputs = channels
        self.fc = nn.Linear(512, outputs)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(x.mean((2, 3, 4)))
