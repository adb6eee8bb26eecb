import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from colorgan.errors import UserError
from colorgan.study.protocol import unanswered
from colorgan.study.store import Store
from tests.test_study_folder import a_study


@pytest.fixture
def study(tmp_path):
    return a_study(tmp_path / "study", systems=["gan", "zhang", "iizuka"])


@pytest.fixture
def store(study):
    with closing(Store(study)) as store:
        yield store


def test_a_new_session_has_a_plan_and_no_answers(store):
    trials = store.trials(store.begin().id)
    assert (len(trials), unanswered(trials)) == (54, 0)


def test_an_answer_is_kept(store):
    session = store.begin().id
    assert store.answer(session, 0, "right")
    assert store.trials(session)[0].answer == "right"


def test_the_first_answer_to_a_pair_stays(store):
    session = store.begin().id
    store.answer(session, 0, "right")
    assert not store.answer(session, 0, "left")
    assert store.trials(session)[0].answer == "right"


def test_sessions_go_to_the_system_with_the_fewest(store):
    systems = [store.begin().system for _ in range(30)]
    assert all(set(systems[n : n + 3]) == {"gan", "zhang", "iizuka"} for n in range(0, 30, 3))


def test_ties_fall_at_random(store):
    systems = [store.begin().system for _ in range(90)]
    assert len(Counter(systems[::3])) == 3


def test_sessions_have_plans_of_their_own(store):
    first, second = store.begin().id, store.begin().id
    assert store.trials(first) != store.trials(second)


def test_the_studys_seed_repeats_its_plans(store, tmp_path):
    with closing(Store(a_study(tmp_path / "again", systems=["gan", "zhang", "iizuka"]))) as again:
        assert again.trials(again.begin().id) == store.trials(store.begin().id)


def test_the_names_of_sessions_cannot_be_guessed(store, tmp_path):
    with closing(Store(a_study(tmp_path / "again", systems=["gan", "zhang", "iizuka"]))) as again:
        assert again.begin().id != store.begin().id


def test_an_unknown_session_has_no_pairs(store):
    assert store.trials("nobody") == []


def test_a_second_opening_knows_it_all(study, store):
    session = store.begin()
    store.answer(session.id, 0, "left")
    with closing(Store(study)) as again:
        assert again.sessions() == [session]
        assert again.trials(session.id) == store.trials(session.id)


def test_every_answer_is_on_the_disk_before_the_next(study, store):
    settings = [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]  # 2 is FULL


def test_a_file_that_is_no_database_is_one_line(study):
    study.answers.write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match=r"answers\.sqlite: file is not a database; move it away"):
        Store(study)


def test_a_folder_that_is_gone_is_one_line(study):
    study.answers.mkdir()
    with pytest.raises(UserError, match=r"answers\.sqlite"):
        Store(study)


def test_other_programs_read_what_was_called_fake(study, store):
    session = store.begin().id
    store.answer(session, 0, "left")
    with closing(sqlite3.connect(study.answers)) as connection:
        rows = connection.execute("SELECT session, trial, called_fake FROM answers").fetchall()
    assert rows == [(session, 0, "left")]
