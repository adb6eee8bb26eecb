import asyncio
import random
from contextlib import closing

import httpx2
import numpy as np
import pytest

from colorgan.study import server
from colorgan.study.report import bootstrap_interval, format_table, summarize
from colorgan.study.store import Store
from tests.test_study_folder import a_study

OTHER = {"left": "right", "right": "left"}


@pytest.fixture
def store(tmp_path):
    with closing(Store(a_study(tmp_path / "study", practice=1, scored=4, vigilance=4))) as store:
        yield store


def answer(store, wrong=(), missed=0, until=None):
    """Answer a session: wrong on the scored pairs `wrong`, and on the first `missed` vigilance pairs."""
    session = store.create_session().id
    scored = vigilance = 0
    for number, trial in enumerate(store.trials(session)[:until]):
        right = True
        if trial.kind == "scored":
            right, scored = scored not in wrong, scored + 1
        if trial.kind == "vigilance":
            right, vigilance = vigilance >= missed, vigilance + 1
        store.record_answer(session, number, trial.fake if right else OTHER[trial.fake])
    return session


def results(store):
    return summarize(store)["systems"]["gan"]


def test_the_rate_is_the_share_of_scored_pairs_whose_real_picture_was_called_fake(store):
    answer(store, wrong=[0])
    answer(store, wrong=[1, 3])
    result = results(store)
    assert (result["sessions"], result["pairs"], result["fooled"], result["rate"]) == (2, 8, 3, 3 / 8)


def test_practice_and_vigilance_pairs_are_in_no_rate(store):
    session = store.create_session().id
    for number, trial in enumerate(store.trials(session)):
        wrong = trial.kind == "practice"
        store.record_answer(session, number, OTHER[trial.fake] if wrong else trial.fake)
    answer(store, missed=1)
    assert (results(store)["fooled"], results(store)["pairs"]) == (0, 8)


def test_three_of_four_vigilance_pairs_are_enough(store):
    answer(store, missed=1)
    assert results(store)["failed_vigilance"] == []


def test_two_of_four_vigilance_pairs_are_not_and_the_session_is_named(store):
    session = answer(store, missed=2)
    assert results(store)["failed_vigilance"] == [{"session": session, "right": 2}]


def test_a_session_that_failed_is_in_the_second_rate_alone(store):
    answer(store)
    answer(store, wrong=[0, 1, 2, 3], missed=4)
    result = results(store)
    assert (result["rate"], result["sessions"]) == (0, 1)
    assert (result["all_complete"]["rate"], result["all_complete"]["sessions"]) == (0.5, 2)


def test_an_incomplete_session_is_named_and_in_no_rate(store):
    session = answer(store, wrong=[0, 1, 2, 3], until=8)
    result = results(store)
    assert result["incomplete"] == [{"session": session, "answered": 8}]
    assert (result["rate"], result["interval"], result["all_complete"]["rate"]) == (None, None, None)


def test_each_picture_says_how_often_it_was_shown_and_fooled(store):
    sessions = [answer(store, wrong=[0]), answer(store, wrong=[0])]
    trials = [trial for session in sessions for trial in store.trials(session) if trial.kind == "scored"]
    counts = {row["number"]: (row["shown"], row["fooled"]) for row in results(store)["pictures"]}
    assert counts == {
        picture: (len(at), sum(trial.answer != trial.fake for trial in at))
        for picture in {trial.picture for trial in trials}
        if (at := [trial for trial in trials if trial.picture == picture])
    }


def test_the_most_convincing_picture_comes_first_under_its_own_name(store):
    session = answer(store, wrong=[2])
    picture = [trial.picture for trial in store.trials(session) if trial.kind == "scored"][2]
    first = results(store)["pictures"][0]
    assert first == {"picture": f"sea/{picture}", "number": picture, "shown": 1, "fooled": 1}


def test_the_interval_of_equal_participants_is_binomial():
    low, high = bootstrap_interval(np.full(20, 0.3), pairs=40, seed=0)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 800)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=0.002)


def test_participants_who_differ_widen_the_interval():
    rates = np.repeat([0.1, 0.5], 10)
    low, high = bootstrap_interval(rates, pairs=40, seed=0)
    half = 1.96 * np.sqrt((rates.var() + (rates * (1 - rates)).mean() / 40) / 20)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=0.004)


def test_the_interval_of_a_rate_of_0_is_a_point():
    assert bootstrap_interval(np.zeros(5), pairs=40, seed=0) == [0, 0]


def test_a_seed_repeats_an_interval():
    rates = np.linspace(0.1, 0.6, 38)
    first, again, other = (bootstrap_interval(rates, 40, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_without_participants_there_is_no_interval():
    assert bootstrap_interval(np.zeros(0), pairs=40, seed=0) is None


def test_a_study_without_sessions_has_a_table(store):
    assert format_table(summarize(store))[1].split() == ["gan", "0", "0/0", "-", "-", "-", "(0", "sessions)"]


def test_the_table_names_rate_and_exceptions(store):
    answer(store, wrong=[0, 1])
    failed, left = answer(store, missed=3), answer(store, until=2)
    text = "\n".join(format_table(summarize(store)))
    assert "2/4" in text and "50.0%" in text
    assert f"gan: {failed} failed the vigilance pairs (1 right), so not in the rate" in text
    assert f"gan: {left} is incomplete (2 answers), so not in any rate" in text


BIAS = {"good": 0.3, "bad": 0.1}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """The report on 38 participants who use the HTTP interface."""
    study = a_study(tmp_path_factory.mktemp("simulated") / "study", systems=list(BIAS), pictures=100)
    with closing(Store(study)) as store:
        asyncio.run(participate(store))
        return summarize(store)["systems"]


async def participate(store):
    """Every tenth participant answers at random, the others are fooled as BIAS says."""
    generator = random.Random(0)
    transport = httpx2.ASGITransport(server.make_app(store, ["study"]))  # three times as fast as TestClient
    async with httpx2.AsyncClient(transport=transport, base_url="http://study") as client:
        for participant in range(38):
            state = (await client.post("/api/sessions", json={})).json()
            session, bias = state["session"], BIAS[store.system(state["session"])]
            trials = store.trials(session)
            while (number := state["next"]) is not None:
                chance = 0.02 if trials[number].kind == "vigilance" else bias
                wrong = generator.random() < (0.5 if participant % 10 == 9 else chance)
                side = OTHER[trials[number].fake] if wrong else trials[number].fake
                state = (await client.post(f"/api/sessions/{session}/trials/{number}", json={"fake": side})).json()


@pytest.mark.parametrize("system", BIAS)
def test_the_interval_recovers_the_bias_of_simulated_participants(simulated, system):
    low, high = simulated[system]["interval"]
    assert low < BIAS[system] < high


def test_the_intervals_of_systems_that_differ_are_apart(simulated):
    assert simulated["bad"]["interval"][1] < simulated["good"]["interval"][0]


def test_simulated_sessions_are_balanced_over_the_systems(simulated):
    assert [system["all_complete"]["sessions"] for system in simulated.values()] == [19, 19]


def test_some_random_participants_fail_the_vigilance_pairs(simulated):
    assert sum(len(system["failed_vigilance"]) for system in simulated.values()) > 0


def test_the_pictures_account_for_every_scored_pair(simulated):
    shown = {name: sum(row["shown"] for row in result["pictures"]) for name, result in simulated.items()}
    assert shown == {name: 40 * result["sessions"] for name, result in simulated.items()}
