"""The nearest of many points on a plane, for many places at once."""

import torch
from torch import Tensor, nn

CELL = 5.0  # side of a cell, in the points' units
REACH = 120.0  # cells cover so far in each direction from the origin


class Neighbors(nn.Module):
    """Finds the `count` nearest of `points` (Q, 2), exactly, without the distances to all Q in memory.

    The plane is cut into cells. A point can be among the nearest of a place in a cell only if its smallest distance to
    the cell is at most the `count`-th smallest of all points' largest distances to it; a place measures the distances
    to those alone. Places beyond the cells measure those of the closest cell.
    """

    def __init__(self, points: Tensor, count: int):
        super().__init__()
        self.count = count
        low = torch.arange(-REACH, REACH, CELL)
        corner = torch.cartesian_prod(low, low)[:, None]  # (cells, 1, 2), each cell's lower corner
        below, above = corner - points, points - corner - CELL
        smallest = torch.maximum(below, above).clamp(min=0).norm(dim=2)  # (cells, Q)
        largest = torch.maximum(below.abs(), above.abs()).norm(dim=2)
        limit = largest.kthvalue(count, dim=1, keepdim=True).values
        candidate = smallest <= limit
        width = int(candidate.sum(dim=1).max())
        index = torch.argsort(~candidate, dim=1, stable=True)[:, :width]
        self.register_buffer("index", index, persistent=False)  # (cells, width): candidates first, then others
        self.register_buffer("points", points, persistent=False)
        self.side = len(low)

    def forward(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Places (B, 2, H, W) -> indices and squared distances (B, count, H, W), the nearest first."""
        flat = places.movedim(1, -1).reshape(-1, 2).float()
        row, column = ((flat + REACH) / CELL).floor().clamp(0, self.side - 1).long().unbind(dim=1)
        candidates = self.index[row * self.side + column]  # (N, width)
        squared = (flat[:, None] - self.points[candidates]).square().sum(dim=2)
        nearest, order = squared.topk(self.count, dim=1, largest=False)
        shape = (len(places), *places.shape[-2:], self.count)
        return candidates.gather(1, order).view(shape).movedim(-1, 1), nearest.view(shape).movedim(-1, 1)
