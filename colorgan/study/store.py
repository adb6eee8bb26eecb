"""SQLite storage of the sessions of a study and their answers."""

import random
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from colorgan.errors import UserError
from colorgan.seeding import seed_of
from colorgan.study.folder import Study
from colorgan.study.protocol import Side, Trial, draw_trials

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, system TEXT NOT NULL, began TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    session TEXT NOT NULL REFERENCES sessions, number INTEGER NOT NULL, kind TEXT NOT NULL, picture INTEGER NOT NULL,
    fake TEXT NOT NULL, PRIMARY KEY (session, number));
CREATE TABLE IF NOT EXISTS answers (
    session TEXT NOT NULL, trial INTEGER NOT NULL, called_fake TEXT NOT NULL, given TEXT NOT NULL,
    PRIMARY KEY (session, trial), FOREIGN KEY (session, trial) REFERENCES trials (session, number));
"""
_TRIALS = """
SELECT kind, picture, fake, called_fake FROM trials
LEFT JOIN answers ON answers.session = trials.session AND answers.trial = trials.number
WHERE trials.session = ? ORDER BY trials.number
"""


class Session(NamedTuple):
    """One participant's session."""

    id: str  # secret, because whoever knows it can answer
    system: str  # whose pictures the participant judges


class Store:
    """The sessions, trials and answers of one study.

    Each answer is one transaction. A store must not be used by several threads at the same time.

    Args:
        study: the study, whose `answers_path` is opened or created.

    Raises:
        UserError: the file is not a database, or its folder cannot be written to.
    """

    def __init__(self, study: Study):
        self.study = study
        try:
            # A server may be made in one thread and run in another.
            self._connection = sqlite3.connect(study.answers_path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise UserError(f"{study.answers_path}: {error}; do you have permission to write to the folder?") from None
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")  # an answer is on the disk before the next trial
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self.close()
            raise UserError(f"{study.answers_path}: {error}; move it away if it is not this study's") from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def create_session(self) -> Session:
        """Create a session and draw its trials.

        The session judges the system with the fewest sessions so far, or a random one of several such. The study's seed
        and the number of earlier sessions determine all randomness, except that of the secret id.
        """
        with self._transaction():
            sessions = self.sessions()
            generator = random.Random(seed_of(self.study.seed, len(sessions)))
            counts = {name: sum(session.system == name for session in sessions) for name in self.study.systems}
            system = generator.choice([name for name in counts if counts[name] == min(counts.values())])
            session = Session(secrets.token_urlsafe(16), system)
            row = (session.id, len(sessions), system, _now())
            self._connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", row)
            trials = draw_trials(self.study.protocol, len(self.study.pictures), generator)
            rows = [(session.id, number, trial.kind, trial.picture, trial.fake) for number, trial in enumerate(trials)]
            self._connection.executemany("INSERT INTO trials VALUES (?, ?, ?, ?, ?)", rows)
        return session

    def sessions(self) -> list[Session]:
        """Return all sessions, the oldest first."""
        rows = self._connection.execute("SELECT id, system FROM sessions ORDER BY number")
        return [Session(*row) for row in rows]

    def system(self, session: str) -> str | None:
        """Return the system that a session judges; None if there is no such session."""
        row = self._connection.execute("SELECT system FROM sessions WHERE id = ?", (session,)).fetchone()
        return row and row[0]

    def trials(self, session: str) -> list[Trial]:
        """Return the trials of a session with the answers so far; empty if there is no such session."""
        return [Trial(*row) for row in self._connection.execute(_TRIALS, (session,))]

    def record_answer(self, session: str, trial: int, called_fake: Side) -> bool:
        """Store the answer to a trial; return False if the trial already has one, which is kept."""
        row = (session, trial, called_fake, _now())
        cursor = self._connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
        return cursor.rowcount == 1

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")  # a second server of the same study waits here
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
