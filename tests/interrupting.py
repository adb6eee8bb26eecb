"""What happens to runs that break off."""


class Died(BaseException):
    """What no handler of an exception expects, like SIGKILL."""


def is_new(system):
    """Whether a run is not resumed."""
    return system.trainer.ckpt_path is None


def die(system):
    raise Died
