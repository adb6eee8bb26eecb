"""Seeds that follow from where the training stands: a resumed run draws what the unbroken one would have."""

MASK = 2**64 - 1


def seed_of(*numbers: int) -> int:
    """One seed for what the numbers name, as the experiment's seed, the epoch, the batch in it and the process' rank.

    The numbers go one after the other through the finalizer of splitmix64 (Steele, Lea, Flood 2014), so that
    neighbors share nothing: torch's CPU generator looks at the low 32 bits alone, and sums of them would collide.

    Args:
        numbers: in an order that means something.

    Returns:
        a number in [0, 2**63), for `torch.Generator.manual_seed` or `torch.manual_seed`.
    """
    state = 0
    for number in numbers:
        state = _mix((state ^ number) & MASK)
    return state >> 1


def _mix(state: int) -> int:
    state = (state + 0x9E3779B97F4A7C15) & MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)
