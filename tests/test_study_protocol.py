import random
from collections import Counter

import pytest

from colorgan.study.protocol import (
    Protocol,
    Trial,
    count_vigilance_correct,
    draw_trials,
    first_unanswered,
    fooled_outcomes,
)

SESSIONS = [draw_trials(Protocol(), 80, random.Random(seed)) for seed in range(300)]


def test_a_session_has_ten_practice_forty_scored_and_four_vigilance_pairs():
    assert Counter(trial.kind for trial in SESSIONS[0]) == {"practice": 10, "scored": 40, "vigilance": 4}


def test_the_practice_comes_first():
    assert all({trial.kind for trial in trials[:10]} == {"practice"} for trials in SESSIONS)


def test_vigilance_pairs_are_anywhere_among_the_scored_ones():
    places = {place for trials in SESSIONS for place, trial in enumerate(trials) if trial.kind == "vigilance"}
    assert places == set(range(10, 54))


def test_no_picture_comes_twice():
    assert all(len({trial.picture for trial in trials}) == 54 for trials in SESSIONS)


def test_every_picture_of_the_study_is_used():
    assert {trial.picture for trials in SESSIONS for trial in trials} == set(range(80))


def test_as_many_pictures_as_pairs_are_enough():
    assert {trial.picture for trial in draw_trials(Protocol(), 54, random.Random(0))} == set(range(54))


@pytest.mark.parametrize("kind", ["practice", "scored", "vigilance"])
def test_the_fake_is_on_either_side_equally_often(kind):
    sides = [trial.fake for trials in SESSIONS for trial in trials if trial.kind == kind]
    assert sides.count("left") / len(sides) == pytest.approx(0.5, abs=0.05)


def test_a_seed_repeats_a_session():
    assert draw_trials(Protocol(), 80, random.Random(7)) == SESSIONS[7]


TRIALS = [
    Trial("practice", 0, "left", "right"),
    Trial("scored", 1, "left", "left"),
    Trial("scored", 2, "left", "right"),
    Trial("vigilance", 3, "right", "right"),
    Trial("vigilance", 4, "right", "left"),
    Trial("scored", 5, "left"),
    Trial("scored", 6, "left"),
]


def test_only_scored_pairs_with_an_answer_have_outcomes():
    assert fooled_outcomes(TRIALS) == [False, True]


def test_correct_vigilance_pairs_are_counted():
    assert count_vigilance_correct(TRIALS) == 1


def test_a_session_goes_on_at_its_first_pair_without_an_answer():
    assert first_unanswered(TRIALS) == 5


def test_a_complete_session_has_no_next_pair():
    assert first_unanswered(TRIALS[:5]) is None
