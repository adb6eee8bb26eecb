"""The fooling rate of each system, with its confidence interval."""

from collections import Counter
from typing import Any

import numpy as np

from colorgan.seeding import seed_of
from colorgan.study.folder import Study
from colorgan.study.protocol import Trial, count_vigilance_correct, first_unanswered, fooled_outcomes
from colorgan.study.store import Store

RESAMPLES = 10_000
TOP_PICTURES = 3  # most convincing pictures per system in the table; the JSON has all

Report = dict[str, Any]


def bootstrap_interval(rates: np.ndarray, pairs: int, seed: int) -> list[float] | None:
    """Return the 95% bootstrap interval of the mean rate.

    A two-level percentile bootstrap, as in Zhang, Isola and Efros 2016: resample the participants, then the pairs of
    each one; take the 2.5th and 97.5th percentiles. Resampling n of a participant's n pairs equals one binomial draw at
    the participant's rate, so the single pairs are not needed.

    Args:
        rates: (S,) of the participants, in [0, 1].
        pairs: number of pairs that each has judged.
        seed: of the resampling.

    Returns:
        [low, high] in [0, 1], or None without participants.
    """
    if not len(rates):
        return None
    generator = np.random.default_rng(seed)
    drawn = rates[generator.integers(len(rates), size=(RESAMPLES, len(rates)))]
    means = generator.binomial(pairs, drawn).mean(axis=1) / pairs
    return [float(bound) for bound in np.percentile(means, [2.5, 97.5])]


def summarize(store: Store) -> Report:
    """Return the results of all systems, ready for JSON.

    Only complete sessions count, because participants may leave early because of the pictures. The main rate also
    excludes the sessions that failed the vigilance trials. Sessions of both kinds are listed.
    """
    study = store.study
    sessions = {system: {} for system in study.systems}
    for session in store.sessions():
        sessions[session.system][session.id] = store.trials(session.id)
    systems = {
        name: _summarize_system(study, sessions[name], seed_of(study.seed, n)) for n, name in enumerate(study.systems)
    }
    return {"study": str(study.root), "resamples": RESAMPLES, "systems": systems}


def _summarize_system(study: Study, sessions: dict[str, list[Trial]], seed: int) -> Report:
    answered = {name: first_unanswered(trials) for name, trials in sessions.items()}  # None: all
    complete = {name: trials for name, trials in sessions.items() if answered[name] is None}
    correct = {name: count_vigilance_correct(trials) for name, trials in complete.items()}
    attentive = {name: trials for name, trials in complete.items() if correct[name] >= study.protocol.vigilance_needed}
    return {
        **_fooling_rate(study, list(attentive.values()), seed),
        "all_complete": _fooling_rate(study, list(complete.values()), seed),
        "failed_vigilance": [{"session": name, "right": correct[name]} for name in complete if name not in attentive],
        "incomplete": [{"session": name, "answered": n} for name, n in answered.items() if n is not None],
        "pictures": _rank_pictures(study, list(attentive.values())),
    }


def _fooling_rate(study: Study, sessions: list[list[Trial]], seed: int) -> Report:
    outcomes = np.array([fooled_outcomes(trials) for trials in sessions], dtype=bool)
    outcomes = outcomes.reshape(len(sessions), study.protocol.scored)
    return {
        "sessions": len(sessions),
        "pairs": outcomes.size,
        "fooled": int(outcomes.sum()),
        "rate": float(outcomes.mean()) if outcomes.size else None,
        "interval": bootstrap_interval(outcomes.mean(axis=1), study.protocol.scored, seed) if outcomes.size else None,
    }


def _rank_pictures(study: Study, sessions: list[list[Trial]]) -> list[Report]:
    """Return how often each picture was shown in a scored trial and how often it fooled, the most convincing first."""
    shown, fooled = Counter(), Counter()
    for trial in (trial for trials in sessions for trial in trials if trial.kind == "scored"):
        shown[trial.picture] += 1
        fooled[trial.picture] += not trial.correct
    ranked = sorted(shown, key=lambda picture: (-fooled[picture] / shown[picture], -shown[picture], picture))
    return [{"picture": study.pictures[p], "number": p, "shown": shown[p], "fooled": fooled[p]} for p in ranked]


def format_table(results: Report) -> list[str]:
    """Return the lines of a short table. A rate of 50% means that the pictures cannot be told from real ones."""
    systems = results["systems"]
    width = max(len("system"), *map(len, systems))
    table = [f"{'system':<{width}}  sessions       fooled    rate   95% interval   with inattentive ones"]
    for name, system in systems.items():
        complete = system["all_complete"]
        table.append(
            f"{name:<{width}}  {system['sessions']:>8}  {system['fooled']:>5}/{system['pairs']:<5}"
            f"  {_percent(system['rate'])}  {_interval(system['interval'])}"
            f"   {_percent(complete['rate'])} ({complete['sessions']} sessions)"
        )
    for name, system in systems.items():
        table += [
            f"{name}: {session['session']} failed the vigilance pairs ({session['right']} right), so not in the rate"
            for session in system["failed_vigilance"]
        ]
        table += [
            f"{name}: {session['session']} is incomplete ({session['answered']} answers), so not in any rate"
            for session in system["incomplete"]
        ]
        best = [picture for picture in system["pictures"][:TOP_PICTURES] if picture["fooled"]]
        table += [f"{name}: fooled {p['fooled']} of {p['shown']} with {p['picture']}" for p in best]
    return table


def _percent(rate: float | None) -> str:
    return "     -" if rate is None else f"{rate:6.1%}"


def _interval(bounds: list[float] | None) -> str:
    return f"{'-':>14}" if bounds is None else f"{bounds[0]:5.1%} to {bounds[1]:5.1%}"
