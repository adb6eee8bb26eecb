"""The optimizer Muon, which orthogonalizes the updates of weight matrices."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from colorgan.precision import full_precision

NS_STEPS = 5  # of the Newton-Schulz iteration
NS_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # chosen by Jordan such that small singular values grow fast
UPDATE_RMS = 0.2  # of an update at lr=1, about that of Adam (Liu et al. 2025, "Muon is scalable", section 2.2)


class Muon(torch.optim.Adam):
    """Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".

    The update of a weight matrix is the orthogonal matrix nearest to its Nesterov momentum. The kernel of a convolution
    is a matrix of outputs x (inputs * kernel height * kernel width). All other parameters are updated by Adam: biases,
    the weights of normalization layers, and weights under spectral norm, whose scale has no effect.

    `torch.optim.Muon` does not accept convolutions. Like the Muon of timm it computes in bfloat16, which most CPUs only
    emulate.

    Args:
        groups: of `muon_groups`, or split up further.
        lr: learning rate, of Adam and of Muon.
        betas: coefficients of the running averages of Adam.
        momentum: of weight matrices, in [0, 1).
        weight_decay: decoupled for weight matrices; an L2 penalty for the parameters of Adam.

    Raises:
        ValueError: a hyperparameter is out of range.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ):
        if not 0 <= momentum < 1:
            raise ValueError(f"Invalid momentum value: {momentum}")
        super().__init__(groups, lr, betas, weight_decay=weight_decay)
        for group in self.param_groups:
            group["momentum"] = momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the weight matrices by Muon and all other parameters by Adam."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_shape = defaultdict(list)  # matrices of the same shape are orthogonalized as a batch
            for p in group["params"] if group["orthogonalize"] else ():
                if p.grad is not None:
                    by_shape[p.shape].append(p)
            for matrices in by_shape.values():
                self._update(matrices, group)
        super().step()
        return loss

    def _update(self, matrices: list[nn.Parameter], group: dict[str, Any]) -> None:
        """Update matrices of the same shape and remove their gradients, so that Adam skips them."""
        directions = []
        for p in matrices:
            state = self.state[p]
            if not state:
                state["step"] = torch.zeros(())  # not used, but required by Adam.load_state_dict
                state["momentum_buffer"] = torch.zeros_like(p)
            buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(p.grad)
            directions.append(p.grad.add(buffer, alpha=group["momentum"]).flatten(1))  # Nesterov
            p.grad = None
        # the iteration diverges in bfloat16 and in TF32
        with torch.autocast(matrices[0].device.type, enabled=False), full_precision():
            updates = orthogonalize(torch.stack(directions))
        step_size = group["lr"] * UPDATE_RMS * max(updates.shape[1:]) ** 0.5
        for p, update in zip(matrices, updates, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update.view_as(p), alpha=-step_size)


def muon_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters of a module that require a gradient in two groups: weight matrices, and all others."""
    matrices, others = [], []
    for name, p in module.named_parameters():
        if p.requires_grad:
            (matrices if p.ndim > 1 and "parametrizations." not in name else others).append(p)
    return [{"params": matrices, "orthogonalize": True}, {"params": others, "orthogonalize": False}]


def orthogonalize(matrices: Tensor) -> Tensor:
    """Orthogonalize matrices approximately by five steps of a Newton-Schulz iteration.

    Each step multiplies X from the left by a I + b G + c G^2, where G = X X^T and a, b and c are `NS_COEFFICIENTS`.
    These factors are polynomials of the first G and commute, so that their product is computed first, which is cheaper
    where X is wide, as kernels of convolutions are. It needs float32: rounding to TF32 makes small eigenvalues of G
    negative, and the iteration enlarges these without bound.

    Args:
        matrices: (N, rows, columns), a floating-point type.

    Returns:
        (N, rows, columns), with the same singular vectors. A singular value that is at least 1/500 of the Frobenius
        norm of its matrix becomes 0.68 to 1.2.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    gram = wide @ wide.mT
    squared_norm = gram.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=torch.finfo(gram.dtype).tiny)[:, None, None]
    gram = gram / squared_norm
    factor = _polynomial(gram)
    product = factor / squared_norm.sqrt()
    for _ in range(NS_STEPS - 1):
        gram = factor @ gram @ factor
        factor = _polynomial(gram)
        product = factor @ product
    result = product @ wide
    return result.mT if tall else result


def _polynomial(gram: Tensor) -> Tensor:
    """Return a I + b G + c G^2 for symmetric matrices G (N, n, n), with the coefficients of `NS_COEFFICIENTS`."""
    a, b, c = NS_COEFFICIENTS
    factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=1, dim2=2).add_(a)
    return factor
