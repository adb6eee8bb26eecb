import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from colorgan.errors import UserError
from colorgan.study.protocol import first_unanswered
from colorgan.study.store import Store
from tests.test_study_folder import a_study


@pytest.fixture
def study(tmp_path):
    return a_study(tmp_path / "study", systems=["gan", "zhang", "iizuka"])


@pytest.fixture
def store(study):
    with closing(Store(study)) as store:
        yield store


def test_a_new_session_has_trials_and_no_answers(store):
    trials = store.trials(store.create_session().id)
    assert (len(trials), first_unanswered(trials)) == (54, 0)


def test_an_answer_is_kept(store):
    session = store.create_session().id
    assert store.record_answer(session, 0, "right")
    assert store.trials(session)[0].answer == "right"


def test_the_first_answer_to_a_pair_stays(store):
    session = store.create_session().id
    store.record_answer(session, 0, "right")
    assert not store.record_answer(session, 0, "left")
    assert store.trials(session)[0].answer == "right"


def test_sessions_go_to_the_system_with_the_fewest(store):
    systems = [store.create_session().system for _ in range(30)]
    assert all(set(systems[n : n + 3]) == {"gan", "zhang", "iizuka"} for n in range(0, 30, 3))


def test_ties_are_broken_at_random(store):
    systems = [store.create_session().system for _ in range(90)]
    assert len(Counter(systems[::3])) == 3


def test_sessions_have_different_trials(store):
    first, second = store.create_session().id, store.create_session().id
    assert store.trials(first) != store.trials(second)


def test_the_seed_of_a_study_repeats_its_sessions(store, tmp_path):
    with closing(Store(a_study(tmp_path / "again", systems=["gan", "zhang", "iizuka"]))) as again:
        assert again.trials(again.create_session().id) == store.trials(store.create_session().id)


def test_session_ids_do_not_depend_on_the_seed(store, tmp_path):
    with closing(Store(a_study(tmp_path / "again", systems=["gan", "zhang", "iizuka"]))) as again:
        assert again.create_session().id != store.create_session().id


def test_an_unknown_session_has_no_pairs(store):
    assert store.trials("nobody") == []


def test_a_reopened_store_holds_everything(study, store):
    session = store.create_session()
    store.record_answer(session.id, 0, "left")
    with closing(Store(study)) as again:
        assert again.sessions() == [session]
        assert again.trials(session.id) == store.trials(session.id)


def test_every_answer_is_on_the_disk_before_the_next(study, store):
    settings = [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]  # 2 is FULL


def test_a_file_that_is_no_database_is_one_line(study):
    study.answers_path.write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match=r"answers\.sqlite: file is not a database; move it away"):
        Store(study)


def test_a_folder_that_is_gone_is_one_line(study):
    study.answers_path.mkdir()
    with pytest.raises(UserError, match=r"answers\.sqlite"):
        Store(study)


def test_other_programs_read_what_was_called_fake(study, store):
    session = store.create_session().id
    store.record_answer(session, 0, "left")
    with closing(sqlite3.connect(study.answers_path)) as connection:
        rows = connection.execute("SELECT session, trial, called_fake FROM answers").fetchall()
    assert rows == [(session, 0, "left")]
