"""Signs that a training collapses, in what its epochs show."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# docs/reliability.md says what healthy runs measured.
FAR = 1.5  # an error above this multiple of the best one, or of that of gray, is no fluctuation
OFF = 1.2  # the same, where the discriminator says so too
DULL = 0.25  # a spread of colors below this share of the truth's, and of the run's largest
GARISH = 3.0  # a spread above this multiple of the truth's
CERTAIN = 0.99  # accuracy of a discriminator on real and on generated pictures, from which it teaches nothing more
CHANCE = 0.03  # distance of the mean of both from one half, within which it cannot tell them apart

ERROR, GRAY_ERROR = "guard/ab_error", "guard/gray_ab_error"
SPREADS = ("guard/spread_within", "guard/spread_between")
ACCURACIES = ("train/real_accuracy", "train/fake_accuracy")


@dataclass(frozen=True)
class Sign:
    """A sign of collapse.

    Args:
        text: what is wrong.
        advice: what to change, if going back does not help.
        certain: whether one epoch of it is enough.
    """

    text: str
    advice: str
    certain: bool = False


class Health:
    """Compares each epoch with the best ones before it.

    A discriminator that is always right, or that guesses, is no collapse by itself: healthy runs with hinge losses have
    the first, and it is what a GAN strives for that its discriminator guesses. It counts where colors get worse too.

    Args:
        monitor: the metric that says which epoch is the best.
        mode: whether its smallest or its largest value is best.
        patience: number of epochs in a row with a useless discriminator that count.
    """

    def __init__(self, monitor: str, mode: Literal["min", "max"], patience: int):
        self.monitor = monitor
        self.mode = mode
        self.patience = patience
        self.best: dict[str, float] = {}
        self.useless = 0  # epochs in a row with a useless discriminator

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "useless": self.useless, "monitor": self.monitor}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best = {key: value for key, value in state["best"].items() if key != self.monitor}
        if state["monitor"] == self.monitor and self.monitor in state["best"]:
            self.best[self.monitor] = state["best"][self.monitor]
        self.useless = state["useless"]

    def judge(self, values: Mapping[str, float]) -> list[Sign]:
        """Return the signs of collapse in an epoch, and remember its values if they are the best.

        Args:
            values: everything that the epoch has logged, by name. What a system does not log is not judged.
        """
        broken = [key for key, value in values.items() if not math.isfinite(value)]
        if broken:
            return [Sign(f"{broken[0]} is {values[broken[0]]}", "lower optim.lr, or set optim.clip=1", certain=True)]
        self.useless = self.useless + 1 if self._discriminator(values) else 0
        found = [*self._errors(values), *self._spreads(values)]
        self._remember(values)
        return found

    def _errors(self, values: Mapping[str, float]) -> list[Sign]:
        found = []
        for key, mode in {self.monitor: self.mode, ERROR: "min"}.items():
            if key not in values or key not in self.best:
                continue
            value, best = values[key], self.best[key]
            ratio = _ratio(value, best) if mode == "min" else _ratio(best, value)
            text = f"{key} is {value:.3g}, the best was {best:.3g}"
            if ratio > FAR:
                found.append(Sign(text, "lower optim.lr, or train on more pictures"))
            elif ratio > OFF and self.useless >= self.patience:
                about = f"{self._discriminator(values)} for {self.useless} epochs"
                found.append(
                    Sign(f"{text}, and {about}", "lower system.discriminator_lr, or set system.real_label=0.9")
                )
        if ERROR in values and _ratio(values[ERROR], values[GRAY_ERROR]) > FAR:
            text = f"the ab error is {values[ERROR]:.3g}, that of plain gray {values[GRAY_ERROR]:.3g}"
            found.append(Sign(text, "lower optim.lr"))
        return found

    def _spreads(self, values: Mapping[str, float]) -> list[Sign]:
        for key in SPREADS:
            if key not in values:
                continue
            where = "within the validation pictures" if key == SPREADS[0] else "between the validation pictures"
            text = f"colors vary {100 * values[key]:.0f}% as much {where} as true ones"
            if values[key] < DULL * min(1.0, self.best.get(key, 0.0)):
                return [Sign(f"{text}, after {100 * self.best[key]:.0f}%", "raise system.color_weight")]
            if values[key] > GARISH:
                return [Sign(text, "lower optim.lr, or raise system.color_weight")]
        return []

    def _discriminator(self, values: Mapping[str, float]) -> str | None:
        """Say in which way the discriminator is useless; None if it is not, or if it rests."""
        accuracies = [values[key] for key in ACCURACIES if key in values]
        if not accuracies:
            return None
        if min(accuracies) > CERTAIN:
            return "the discriminator is always right"
        mean = sum(accuracies) / len(accuracies)
        return "the discriminator guesses" if abs(mean - 0.5) < CHANCE else None

    def _remember(self, values: Mapping[str, float]) -> None:
        better = {self.monitor: max if self.mode == "max" else min, ERROR: min, **dict.fromkeys(SPREADS, max)}
        for key in better.keys() & values.keys():
            value = min(values[key], 1.0) if key in SPREADS else values[key]  # garish colors are no standard
            self.best[key] = better[key](self.best.get(key, value), value)


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference > 0 else (1.0 if value <= 0 else math.inf)
