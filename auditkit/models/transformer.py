"""The parts of a vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words",
arXiv:2010.11929).

Attention is written as plain products, which torch.func.vmap can stack.
"""

from typing import cast

import torch
from torch import nn


class Tokens(nn.Module):
    """What a vision transformer reads (eq. 1): a class token, then the patches of an image, each
    with a position that is learnt."""

    def __init__(self, patches: int, width: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(1, 1, width))
        self.position = nn.Parameter(torch.empty(1, patches + 1, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the positions anew, from N(0, 0.02^2); the class token starts at 0."""
        nn.init.zeros_(self.first)
        nn.init.normal_(self.position, std=0.02)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """patches: (n, width, rows, columns), returned as tokens (n, 1 + rows * columns, width)."""
        tokens = patches.flatten(2).transpose(1, 2)
        first = self.first.expand(len(tokens), -1, -1)
        return torch.cat([first, tokens], dim=1) + self.position


class Attention(nn.Module):
    """Multi-head self-attention (eqs. 5 to 8): each head mixes the values of all tokens, by the
    softmax of its queries times their keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, tokens, width), returned in that shape."""
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(dim=-1)
        return cast(torch.Tensor, self.out((weights @ value).transpose(1, 2).flatten(2)))


class Block(nn.Module):
    """Attention, then a perceptron with one hidden layer four times as wide and GELU, each after a
    layer norm and added to what came in (eqs. 2 and 3)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, tokens, width), returned in that shape."""
        x = x + self.attention(self.norm1(x))
        return cast(torch.Tensor, x + self.perceptron(self.norm2(x)))


class FirstToken(nn.Module):
    """The class token alone: (n, tokens, width) -> (n, width)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, tokens, width)."""
        return x[:, 0]
