"""Attention to color hints, which carries their color to places that look alike."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 4
NEVER = -1e4  # a logit whose probability is 0, finite so that no row of a softmax is without a finite one


class HintAttention(nn.Module):
    """Attention of each place of a feature map to the places with hints (Vaswani et al. 2017, section 3.2).

    Keys and queries are features, values are features and colors of hints. A learned multiple of the squared distance
    is subtracted from the logits of each head. A further key, whose value is 0, takes what fits no hint, so that the
    result is exactly the input where there are no hints.

    Args:
        width: channels of the feature map, a multiple of 4.
    """

    def __init__(self, width: int):
        super().__init__()
        self.query = nn.Conv2d(width, width, 1)
        self.key = nn.Conv2d(width, width, 1)
        self.value = nn.Conv2d(width + 2, width, 1)
        self.out = nn.Conv2d(width, width, 1, bias=False)
        self.fallback = nn.Parameter(torch.zeros(1, HEADS, 1, width // HEADS))
        self.falloff = nn.Parameter(torch.linspace(-6, 0, HEADS))  # of heads, as the logarithm of a multiple
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, color: Tensor, present: Tensor) -> Tensor:
        """Add what is attended to.

        Args:
            x: (B, width, H, W).
            color: (B, 2, H, W), of the hints of each place.
            present: (B, 1, H, W), 1 where there is a hint, else 0.

        Returns:
            (B, width, H, W).
        """
        query = _split_heads(self.query(x))
        key = torch.cat([_split_heads(self.key(x)), self.fallback.expand(x.shape[0], -1, -1, -1)], dim=2)
        value = F.pad(_split_heads(self.value(torch.cat([x, color], dim=1))), (0, 0, 0, 1))
        distance = _squared_distances(x) * self.falloff.exp()[:, None, None]
        mask = (1 - present.flatten(2))[:, :, None] * NEVER
        logits = F.pad(mask - distance, (0, 1)).to(query.dtype)
        attended = F.scaled_dot_product_attention(query, key.to(query.dtype), value, attn_mask=logits)
        merged = attended.transpose(2, 3).contiguous().flatten(1, 2)  # what `attended` has as strides is not exported
        return x + self.out(merged.unflatten(2, x.shape[-2:]))


def _split_heads(x: Tensor) -> Tensor:
    """Reshape (B, C, H, W) to (B, HEADS, H * W, C / HEADS)."""
    return x.flatten(2).unflatten(1, (HEADS, -1)).transpose(2, 3)


def _squared_distances(x: Tensor) -> Tensor:
    """Return the squared distances between the places of a feature map (B, C, H, W), in places, (H * W, H * W)."""
    rows, columns = (torch.arange(side, device=x.device, dtype=torch.float32) for side in x.shape[-2:])
    places = torch.cartesian_prod(rows, columns)
    return (places[:, None] - places).square().sum(dim=2)
