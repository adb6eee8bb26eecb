"""Seeds derived from the position in the training, so that a resumed run equals an uninterrupted one."""

MASK_64 = 2**64 - 1


def seed_of(*numbers: int) -> int:
    """Derive a seed from several numbers, such as the experiment's seed, the epoch, the batch and the rank.

    The numbers are hashed one after the other with the finalizer of splitmix64 (Steele, Lea, Flood 2014), so that
    similar numbers give unrelated seeds. Their sum would not do: torch's CPU generator uses only the low 32 bits of a
    seed, and different numbers often have the same sum.

    Args:
        numbers: the numbers; their order matters.

    Returns:
        a seed in [0, 2**63), for `torch.Generator.manual_seed` or `torch.manual_seed`.
    """
    state = 0
    for number in numbers:
        state = _mix((state ^ number) & MASK_64)
    return state >> 1


def _mix(state: int) -> int:
    """Return the next output of splitmix64 for a 64-bit state."""
    state = (state + 0x9E3779B97F4A7C15) & MASK_64
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK_64
    return state ^ (state >> 31)
