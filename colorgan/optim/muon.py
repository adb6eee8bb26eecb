"""The optimizer Muon: steps of the same length in all directions of a weight matrix."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

STEPS = 5  # of the iteration
A, B, C = 3.4445, -4.7750, 2.0315  # its coefficients, chosen by Jordan for fast growth of small singular values
LENGTH = 0.2  # root mean square of a step of 1, about that of Adam (Liu et al. 2025, "Muon is scalable", section 2.2)


class Muon(torch.optim.Adam):
    """Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".

    The momentum of a weight matrix is replaced by the orthogonal matrix that is nearest; the kernel of a convolution is
    a matrix of outputs x (inputs x pixels). All else is Adam's: biases, norms, and what is under spectral norm, as the
    length of such a weight says nothing. torch's own takes no convolutions and, as timm's, works in bfloat16, which
    most CPUs only emulate.
    """

    def __init__(
        self,
        part: nn.Module,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),  # of Adam
        momentum: float = 0.95,  # of matrices
        weight_decay: float = 0.0,
    ):
        if not 0 <= momentum < 1:
            raise ValueError(f"Invalid momentum value: {momentum}")
        matrices, others = [], []
        for name, p in part.named_parameters():
            if p.requires_grad:
                (matrices if p.ndim > 1 and "parametrizations." not in name else others).append(p)
        super().__init__([{"params": matrices}, {"params": others}], lr, betas, weight_decay=weight_decay)
        for group in self.param_groups:
            group["momentum"] = momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes the gradients of matrices; Adam takes what is left."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        group = self.param_groups[0]
        alike = defaultdict(list)  # matrices of one shape are one batch
        for p in group["params"]:
            if p.grad is not None:
                alike[p.shape].append(p)
        for matrices in alike.values():
            self._step(matrices, group)
        super().step()
        return loss

    def _step(self, matrices: list[nn.Parameter], group: dict[str, Any]) -> None:
        directions = []
        for p in matrices:
            state = self.state[p]
            if not state:
                state["step"] = torch.zeros(())  # unused; Adam asks for it where it restores a state
                state["momentum_buffer"] = torch.zeros_like(p)
            buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(p.grad)
            directions.append(p.grad.add(buffer, alpha=group["momentum"]).flatten(1))  # Nesterov's
            p.grad = None
        with torch.autocast(matrices[0].device.type, enabled=False):  # the iteration diverges in bfloat16
            steps = orthogonalize(torch.stack(directions))
        rate = group["lr"] * LENGTH * max(steps.shape[1:]) ** 0.5
        for p, step in zip(matrices, steps, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"]).add_(step.view_as(p), alpha=-rate)


def orthogonalize(matrices: Tensor) -> Tensor:
    """Brings all singular values near 1, by five steps of a Newton-Schulz iteration.

    Each step multiplies X by A + B G + C G^2, where G = X X^T. These factors are polynomials of the first G and
    commute, so they are multiplied among themselves first, which is cheaper where X is wide.

    Args:
        matrices: (N, rows, columns), floating.

    Returns:
        (N, rows, columns); singular values 0.68 to 1.2, where those of X were not below 1/500 of its norm.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    gram = wide @ wide.mT
    squared = gram.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=torch.finfo(gram.dtype).tiny)[:, None, None]
    gram = gram / squared
    one = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    product = one / squared.sqrt()
    for _ in range(STEPS):
        factor = A * one + B * gram + C * (gram @ gram)
        product = factor @ product
        gram = factor @ gram @ factor
    result = product @ wide
    return result.mT if tall else result
