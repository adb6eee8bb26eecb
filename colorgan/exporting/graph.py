"""The graph of a colorizer, for batches and pictures of any size."""

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn.utils import parametrize

from colorgan.codecs.distribution import Distribution
from colorgan.colorizer.colorizer import Colorizer, Conditions
from colorgan.errors import UserError

SMALLEST = 33  # px of a side: no feature map of a net of stride 32 has a side of 1 then, which torch treats apart
EXAMPLE = (2, 40, 72)  # batch, height and width of the traced input; the graph holds for all others


class Predict(nn.Module):
    """`Colorizer.predict` as a function of tensors.

    Args:
        colorizer: in evaluation mode.
    """

    def __init__(self, colorizer: Colorizer):
        super().__init__()
        self.colorizer = colorizer

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100], and hints (B, 3, H, W), to ab (B, 2, h, w); see `Colorizer.predict`."""
        return self.colorizer.predict(Conditions(L, hints=hints))


def smallest_side(colorizer: Colorizer) -> int:
    """Return the smallest height and width in px that an exported graph is promised to take."""
    return min(SMALLEST, colorizer.size)


def trace(colorizer: Colorizer, hints: bool = False) -> ExportedProgram:
    """Trace the prediction of color.

    Args:
        colorizer: in evaluation mode. Its spectral norms, if any, are fixed in place.
        hints: whether color hints (B, 3, H, W) are a second input; see `HintedNet`.

    Returns:
        A program that maps L (B, 1, H, W) in [0, 100], for any B, and any H and W of at least `smallest_side`, to
        ab (B, 2, h, w) in Lab units.

    Raises:
        UserError: the codec draws samples; there are hints, and the net takes none; torch cannot trace the net.
    """
    if hints:
        colorizer.require_hints()
    if isinstance(colorizer.codec, Distribution) and colorizer.codec.decoding == "sample":
        others = ", ".join(name for name in colorizer.codec.decodings if name != "sample")
        raise UserError(f"codec.decoding=sample: an exported graph has no noise; choose --decode {others}")
    for module in colorizer.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    batch, height, width = EXAMPLE
    smallest = smallest_side(colorizer)
    sizes = {0: Dim("batch", min=1), 2: Dim("height", min=smallest), 3: Dim("width", min=smallest)}
    inputs = [torch.rand(batch, channels, height, width) for channels in ((1, 3) if hints else (1,))]
    try:
        # Without the first option a size is taken to be other than 1, and without the second a condition on sizes
        # that sympy cannot prove is an error, such as that a picture is no larger than its padded form.
        with torch.no_grad(), torch.fx.experimental._config.patch(backed_size_oblivious=True):
            return torch.export.export(
                Predict(colorizer),
                tuple(inputs),
                dynamic_shapes=(sizes,) * len(inputs),
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    except Exception as error:  # tracing raises nearly anything
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"net {type(colorizer.net).__name__}: torch cannot trace it ({reason})") from None
