"""The protocol of one session: two-interval forced-choice trials of a real photograph and a recolored version of it."""

import random
from dataclasses import dataclass
from typing import Literal, NamedTuple

TrialKind = Literal["practice", "scored", "vigilance"]
Side = Literal["left", "right"]  # the left picture is shown first
SIDES: tuple[Side, ...] = ("left", "right")


@dataclass(frozen=True)
class Protocol:
    """Number of trials of each kind, and timing; the defaults are those of Zhang, Isola and Efros 2016 and their tool.

    Args:
        practice: trials at the start with feedback; they do not count towards the fooling rate.
        scored: trials that count towards the fooling rate.
        vigilance: attention checks against a randomly colored picture, at random positions among the scored trials.
        vigilance_needed: correct vigilance trials without which a session is excluded from the fooling rate.
        before_ms: blank before the first picture.
        shown_ms: duration of each picture.
        between_ms: blank between the two pictures.
        feedback_ms: duration of the feedback after a practice trial.
    """

    practice: int = 10
    scored: int = 40
    vigilance: int = 4
    vigilance_needed: int = 3
    before_ms: int = 900
    shown_ms: int = 1000
    between_ms: int = 600
    feedback_ms: int = 2400

    @property
    def pairs(self) -> int:
        """Number of trials in a session. A study needs as many pictures, because no picture is shown in two trials."""
        return self.practice + self.scored + self.vigilance


class Trial(NamedTuple):
    """One pair of a session."""

    kind: TrialKind
    picture: int  # index into the pictures of the study
    fake: Side  # the side of the recolored picture
    answer: Side | None = None  # the side that was called fake; None before the answer

    @property
    def correct(self) -> bool:
        """Whether the recolored picture was called fake; False before the answer."""
        return self.answer == self.fake


def draw_trials(protocol: Protocol, pictures: int, generator: random.Random) -> list[Trial]:
    """Draw the trials of one session: their pictures, their order and the side of each fake.

    Args:
        protocol: the number of trials of each kind.
        pictures: number of pictures in the study, `protocol.pairs` or more.
        generator: the source of randomness.

    Returns:
        the practice trials, then the others in random order; no picture twice.
    """
    rest: list[TrialKind] = ["scored"] * protocol.scored + ["vigilance"] * protocol.vigilance
    generator.shuffle(rest)
    kinds: list[TrialKind] = ["practice"] * protocol.practice + rest
    chosen = generator.sample(range(pictures), len(kinds))
    return [Trial(kind, picture, generator.choice(SIDES)) for kind, picture in zip(kinds, chosen, strict=True)]


def first_unanswered(trials: list[Trial]) -> int | None:
    """Return the index of the first trial without an answer; None if the session is complete."""
    return next((number for number, trial in enumerate(trials) if trial.answer is None), None)


def fooled_outcomes(trials: list[Trial]) -> list[bool]:
    """Return, for each answered scored trial, whether the real picture was called fake."""
    return [not trial.correct for trial in trials if trial.kind == "scored" and trial.answer]


def count_vigilance_correct(trials: list[Trial]) -> int:
    """Return the number of vigilance trials that were answered correctly."""
    return sum(trial.kind == "vigilance" and trial.correct for trial in trials)
