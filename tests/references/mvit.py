"""MViTv2-S with torchvision's names (Li et al., arXiv 2112.01526)."""

import functools
from collections.abc import Callable

import torch
from torch import nn

Size = tuple[int, ...]  # (T, H, W)

norm = functools.partial(nn.LayerNorm, eps=1e-6)
# Heads, channels, stride of queries, stride of keys and values.
BLOCKS = [
    (1, 96, 1, 8),
    (2, 192, 2, 4),
    (2, 192, 1, 4),
    (4, 384, 2, 2),
    *[(4, 384, 1, 2)] * 10,
    (8, 768, 2, 1),
    (8, 768, 1, 1),
]


class Pool(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.pool = nn.Conv3d(
            channels, channels, 3, (1, stride, stride), 1, groups=channels, bias=False
        )
        self.norm_act = nn.Sequential(norm(channels))

    def forward(self, x: torch.Tensor, size: Size) -> tuple[torch.Tensor, Size]:
        y, size = pool_grid(x, size, self.pool)
        return self.norm_act(y), size


def pool_grid(
    x: torch.Tensor, size: Size, pool: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, Size]:
    """Pool a grid of tokens [N, heads, 1 + T H W, C]; the class token stays."""
    n, heads, _, channels = x.shape
    grid = pool(x[:, :, 1:].reshape(n * heads, *size, channels).permute(0, 4, 1, 2, 3))
    tokens = grid.flatten(2).transpose(1, 2).reshape(n, heads, -1, channels)
    return torch.cat([x[:, :, :1], tokens], 2), tuple(grid.shape[2:])


class Attention(nn.Module):
    def __init__(
        self, inputs: int, channels: int, heads: int, stride: int, kv_stride: int, side: int
    ) -> None:
        super().__init__()
        self.heads, width = heads, channels // heads
        self.qkv = nn.Linear(inputs, 3 * channels)
        self.project = nn.Sequential(nn.Linear(channels, channels))
        self.pool_q, self.pool_k = Pool(width, stride), Pool(width, kv_stride)
        self.pool_v = Pool(width, kv_stride)
        rows = 2 * (side // min(stride, kv_stride)) - 1
        for axis, length in (("t", 15), ("h", rows), ("w", rows)):
            setattr(self, f"rel_pos_{axis}", nn.Parameter(torch.zeros(length, width)))

    def forward(self, x: torch.Tensor, size: Size) -> tuple[torch.Tensor, Size]:
        n, length, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, q_size = self.pool_q(q, size)
        k, k_size = self.pool_k(k, size)
        v, _ = self.pool_v(v, size)
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
        scores[:, :, 1:, 1:] += self.positions(q[:, :, 1:], q_size, k_size)
        y = scores.softmax(-1) @ v
        y[:, :, 1:] += q[:, :, 1:]
        return self.project(y.transpose(1, 2).reshape(n, q.shape[2], -1)), q_size

    def positions(self, q: torch.Tensor, q_size: Size, k_size: Size) -> torch.Tensor:
        grid = q.reshape(*q.shape[:2], *q_size, q.shape[-1])
        total = 0
        for axis, letter in enumerate("thw"):
            rows = self.rows(getattr(self, f"rel_pos_{letter}"), q_size[axis], k_size[axis])
            # [N, heads, T, H, W, keys of this axis]
            scores = torch.einsum(f"nethwc,{letter}kc->nethwk", grid, rows)
            shape = [1, 1, 1]
            shape[axis] = k_size[axis]
            total = total + scores.reshape(*scores.shape[:5], *shape)
        return total.reshape(*q.shape[:3], -1)

    @staticmethod
    def rows(table: torch.Tensor, queries: int, keys: int) -> torch.Tensor:
        length = 2 * max(queries, keys) - 1
        if length != len(table):
            table = nn.functional.interpolate(table.T[None], size=length, mode="linear")[0].T
        q_step, k_step = max(keys / queries, 1), max(queries / keys, 1)
        rows = []
        for q in range(queries):
            for k in range(keys):
                rows.append(table[int(q * q_step - (k + 1 - keys) * k_step)])
        return torch.stack(rows).reshape(queries, keys, -1)


class Block(nn.Module):
    def __init__(
        self, inputs: int, heads: int, channels: int, stride: int, kv_stride: int, side: int
    ) -> None:
        super().__init__()
        self.stride = stride
        self.norm1, self.norm2 = norm(inputs), norm(channels)
        self.attn = Attention(inputs, channels, heads, stride, kv_stride, side)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Dropout(0),
            nn.Linear(4 * channels, channels),
        )
        self.project = nn.Linear(inputs, channels) if inputs != channels else None

    def forward(self, x: torch.Tensor, size: Size) -> tuple[torch.Tensor, Size]:
        y = self.norm1(x)
        shortcut = x if self.project is None else self.project(y)
        if self.stride > 1:
            pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
            shortcut = pool_grid(shortcut[:, None], size, pool)[0][:, 0]
        y, size = self.attn(y, size)
        x = shortcut + y
        return x + self.mlp(self.norm2(x)), size


class MViT(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv_proj = nn.Conv3d(3, 96, (3, 7, 7), (2, 4, 4), (1, 3, 3))
        self.pos_encoding = nn.Module()
        self.pos_encoding.class_token = nn.Parameter(torch.zeros(96))
        blocks, inputs, side = [], 96, 56
        for heads, channels, stride, kv_stride in BLOCKS:
            blocks.append(Block(inputs, heads, channels, stride, kv_stride, side))
            inputs, side = channels, side // stride
        self.blocks, self.norm = nn.ModuleList(blocks), norm(768)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(768, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grid = self.conv_proj(x)
        size = tuple(grid.shape[2:])
        token = self.pos_encoding.class_token.expand(len(grid), 1, -1)
        x = torch.cat([token, grid.flatten(2).transpose(1, 2)], 1)
        for block in self.blocks:
            x, size = block(x, size)
        return self.head(self.norm(x)[:, 0])
