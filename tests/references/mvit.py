"""MViTv2-S with torchvision's names (Li et al., arXiv 2112.01526), positions by one loop per axis."""

import functools

import torch
from torch import nn

norm = functools.partial(nn.LayerNorm, eps=1e-6)
# heads, channels, stride of queries, stride of keys and values
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
    def __init__(self, channels, stride):
        super().__init__()
        self.pool = nn.Conv3d(
            channels, channels, 3, (1, stride, stride), 1, groups=channels, bias=False
        )
        self.norm_act = nn.Sequential(norm(channels))

    def forward(self, x, size):
        y, size = pooled(x, size, self.pool)
        return self.norm_act(y), size


def pooled(x, size, pool):
    """A class token and a grid of tokens [N, heads, 1 + T H W, C], the grid pooled."""
    n, heads, _, channels = x.shape
    grid = pool(x[:, :, 1:].reshape(n * heads, *size, channels).permute(0, 4, 1, 2, 3))
    tokens = grid.flatten(2).transpose(1, 2).reshape(n, heads, -1, channels)
    return torch.cat([x[:, :, :1], tokens], 2), tuple(grid.shape[2:])


class Attention(nn.Module):
    def __init__(self, inputs, channels, heads, stride, kv_stride, side):
        super().__init__()
        self.heads, width = heads, channels // heads
        self.qkv, self.project = (
            nn.Linear(inputs, 3 * channels),
            nn.Sequential(nn.Linear(channels, channels)),
        )
        self.pool_q, self.pool_k, self.pool_v = (
            Pool(width, step) for step in (stride, kv_stride, kv_stride)
        )
        rows = 2 * (side // min(stride, kv_stride)) - 1
        for axis, length in (("t", 15), ("h", rows), ("w", rows)):
            setattr(self, f"rel_pos_{axis}", nn.Parameter(torch.zeros(length, width)))

    def forward(self, x, size):
        n, length, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        (q, q_size), (k, k_size), (v, _) = (
            self.pool_q(q, size),
            self.pool_k(k, size),
            self.pool_v(v, size),
        )
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
        scores[:, :, 1:, 1:] += self.positions(q[:, :, 1:], q_size, k_size)
        y = scores.softmax(-1) @ v
        y[:, :, 1:] += q[:, :, 1:]
        return self.project(y.transpose(1, 2).reshape(n, q.shape[2], -1)), q_size

    def positions(self, q, q_size, k_size):
        grid = q.reshape(*q.shape[:2], *q_size, q.shape[-1])
        total = 0
        for axis, letter in enumerate("thw"):
            rows = self.rows(getattr(self, f"rel_pos_{letter}"), q_size[axis], k_size[axis])
            scores = torch.einsum(
                f"nethwc,{letter}kc->nethwk", grid, rows
            )  # [N, heads, T, H, W, keys of this axis]
            shape = [1, 1, 1]
            shape[axis] = k_size[axis]
            total = total + scores.reshape(*scores.shape[:5], *shape)
        return total.reshape(*q.shape[:3], -1)

    @staticmethod
    def rows(table, queries, keys):
        length = 2 * max(queries, keys) - 1
        if length != len(table):
            table = nn.functional.interpolate(table.T[None], size=length, mode="linear")[0].T
        place = lambda q, k: int(
            q * max(keys / queries, 1) - (k + 1 - keys) * max(queries / keys, 1)
        )  # noqa: E731
        return torch.stack(
            [torch.stack([table[place(q, k)] for k in range(keys)]) for q in range(queries)]
        )


class Block(nn.Module):
    def __init__(self, inputs, heads, channels, stride, kv_stride, side):
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

    def forward(self, x, size):
        y = self.norm1(x)
        shortcut = x if self.project is None else self.project(y)
        if self.stride > 1:
            pool = functools.partial(
                nn.functional.max_pool3d, kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)
            )
            shortcut = pooled(shortcut[:, None], size, pool)[0][:, 0]
        y, size = self.attn(y, size)
        x = shortcut + y
        return x + self.mlp(self.norm2(x)), size


class MViT(nn.Module):
    def __init__(self, outputs):
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

    def forward(self, x):
        grid = self.conv_proj(x)
        size = tuple(grid.shape[2:])
        x = torch.cat(
            [
                self.pos_encoding.class_token.expand(len(grid), 1, -1),
                grid.flatten(2).transpose(1, 2),
            ],
            1,
        )
        for block in self.blocks:
            x, size = block(x, size)
        return self.head(self.norm(x)[:, 0])
