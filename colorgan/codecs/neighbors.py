"""Exact k-nearest-neighbor search in the plane."""

import torch
from torch import Tensor, nn

CELL_SIZE = 5.0  # side of a grid cell
GRID_EXTENT = 120.0  # the grid covers [-120, 120] in both coordinates


class NearestNeighbors(nn.Module):
    """Finds the `k` nearest of Q fixed points for many queries, without storing the distances to all Q.

    The plane is divided into the cells of a grid. A point can be among the k nearest of a query in a cell only if its
    smallest distance to the cell is at most the k-th smallest of all points' largest distances to the cell; only the
    distances to these candidates are computed. A query outside the grid uses the candidates of the closest cell.

    Args:
        points: (Q, 2).
        k: number of neighbors, in [1, Q].
    """

    def __init__(self, points: Tensor, k: int):
        super().__init__()
        self.k = k
        low = torch.arange(-GRID_EXTENT, GRID_EXTENT, CELL_SIZE)
        corner = torch.cartesian_prod(low, low)[:, None]  # (cells, 1, 2), each cell's lower corner
        below, above = corner - points, points - corner - CELL_SIZE
        smallest = torch.maximum(below, above).clamp(min=0).norm(dim=2)  # (cells, Q)
        largest = torch.maximum(below.abs(), above.abs()).norm(dim=2)
        limit = largest.kthvalue(k, dim=1, keepdim=True).values
        is_candidate = smallest <= limit
        width = int(is_candidate.sum(dim=1).max())
        # (cells, width): the candidates of each cell, then other points where it has fewer than `width`
        index = torch.argsort(~is_candidate, dim=1, stable=True)[:, :width]
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("points", points, persistent=False)
        self.cells_per_side = len(low)

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return the indices and the squared distances of the k nearest points, sorted by distance.

        Args:
            queries: (B, 2, H, W).

        Returns:
            Indices (B, k, H, W), int64, and squared distances (B, k, H, W), float32.
        """
        flat = queries.movedim(1, -1).reshape(-1, 2).float()
        row, column = ((flat + GRID_EXTENT) / CELL_SIZE).floor().clamp(0, self.cells_per_side - 1).long().unbind(dim=1)
        candidates = self.index[row * self.cells_per_side + column]  # (N, width)
        squared = (flat[:, None] - self.points[candidates]).square().sum(dim=2)
        nearest, order = squared.topk(self.k, dim=1, largest=False)
        shape = (len(queries), *queries.shape[-2:], self.k)
        return candidates.gather(1, order).view(shape).movedim(-1, 1), nearest.view(shape).movedim(-1, 1)
