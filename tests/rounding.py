"""TF32 and bfloat16 without a GPU: a mode in which matrix products and convolutions round their factors."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
PRODUCTS = {  # the positions of the factors among the arguments
    aten.mm: (0, 1),
    aten.bmm: (0, 1),
    aten.mv: (0, 1),
    aten.addmm: (1, 2),
    aten.addmv: (1, 2),
    aten.baddbmm: (1, 2),
    aten.addbmm: (1, 2),
    aten._euclidean_dist: (0, 1),  # `cdist` of more than 25 points
}
CONVOLUTIONS = {aten.convolution: (0, 1), aten.convolution_backward: (0, 1, 2)}
TF32, BFLOAT16 = 10, 7  # bits of the mantissa


class Rounding(TorchDispatchMode):
    """Rounds the float32 factors of convolutions, and of matrix products unless full precision was asked for.

    Other products and convolutions, such as `matmul`, `einsum` and `linear`, consist of these. cuDNN rounds to TF32 by
    default.

    Args:
        bits: of the mantissa that are kept.
    """

    def __init__(self, bits: int = TF32):
        super().__init__()
        self.bits = bits

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        positions = CONVOLUTIONS.get(func.overloadpacket, ())
        if torch.backends.cuda.matmul.fp32_precision not in ("ieee", "none"):
            positions = PRODUCTS.get(func.overloadpacket, positions)
        args = [rounded(arg, self.bits) if i in positions else arg for i, arg in enumerate(args)]
        return func(*args, **(kwargs or {}))


def rounded(x: Tensor, bits: int) -> Tensor:
    """Round float32 to a mantissa of `bits` bits, to nearest and ties to even; leave other types as they are."""
    if x.dtype != torch.float32:
        return x
    dropped = 23 - bits
    pattern = x.view(torch.int32)
    tie = (pattern >> dropped) & 1
    return ((pattern + (1 << (dropped - 1)) - 1 + tie) >> dropped << dropped).view(torch.float32)
