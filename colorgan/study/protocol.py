"""What one participant sees: pairs of one photograph and its recolored self, one after the other."""

import random
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["practice", "scored", "vigilance"]
Side = Literal["left", "right"]  # the left picture is shown first
SIDES: tuple[Side, ...] = ("left", "right")


@dataclass(frozen=True)
class Protocol:
    """How many pairs, and how long they are seen: the numbers of Zhang, Isola and Efros 2016 and of their AMT tool."""

    practice: int = 10  # pairs that come first and say whether the answer was right; in no rate
    scored: int = 40
    vigilance: int = 4  # pairs against random colors, hidden among the scored ones: does anyone look at all?
    vigilance_needed: int = 3  # so many of them must be right, or the session is left out of the rate
    before_ms: int = 900  # blank, before the first picture
    shown_ms: int = 1000  # each picture
    between_ms: int = 600  # blank, between the two
    feedback_ms: int = 2400  # how long a practice pair says what was right

    @property
    def pairs(self) -> int:
        """Pairs in a session, and so the pictures that a study needs, for none is seen twice."""
        return self.practice + self.scored + self.vigilance


class Trial(NamedTuple):
    """One pair of a session."""

    kind: Kind
    picture: int  # its place in the study's list
    fake: Side
    answer: Side | None = None  # which was called fake; None: not answered yet


def plan(protocol: Protocol, pictures: int, generator: random.Random) -> list[Trial]:
    """Draws one session: which pictures, in which order, on which side the fake ones.

    Args:
        protocol: how many pairs of each kind.
        pictures: how many the study has, `protocol.pairs` or more.
        generator: where chance comes from.

    Returns:
        the practice pairs, then the others in random order; no picture twice.
    """
    rest: list[Kind] = ["scored"] * protocol.scored + ["vigilance"] * protocol.vigilance
    generator.shuffle(rest)
    kinds: list[Kind] = ["practice"] * protocol.practice + rest
    chosen = generator.sample(range(pictures), len(kinds))
    return [Trial(kind, picture, generator.choice(SIDES)) for kind, picture in zip(kinds, chosen, strict=True)]


def unanswered(trials: list[Trial]) -> int | None:
    """The number of the first pair without an answer; None at the end."""
    return next((number for number, trial in enumerate(trials) if trial.answer is None), None)


def fooled(trials: list[Trial]) -> list[bool]:
    """For each scored pair that is answered, whether the real picture was called fake."""
    return [trial.answer != trial.fake for trial in trials if trial.kind == "scored" and trial.answer]


def attentive(trials: list[Trial]) -> int:
    """How many vigilance pairs were answered right."""
    return sum(trial.kind == "vigilance" and trial.answer == trial.fake for trial in trials)
