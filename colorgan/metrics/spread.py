"""How much colors vary within pictures and between them."""

from torch import Tensor


def ab_spread(ab: Tensor) -> tuple[Tensor, Tensor]:
    """Compute how far colors lie from the mean color of their picture, and these means from each other.

    A generator that paints everything gray or with one cast has neither; one that paints every picture alike has the
    first alone.

    Args:
        ab: (B, 2, H, W) in Lab units.

    Returns:
        within: standard deviation in the ab plane within a picture, in Lab units, the mean over the pictures.
        between: that of the mean colors of the pictures, in Lab units.
    """
    within = ab.flatten(2).var(dim=2, correction=0).sum(dim=1).sqrt().mean()
    between = ab.mean(dim=(2, 3)).var(dim=0, correction=0).sum().sqrt()
    return within, between
