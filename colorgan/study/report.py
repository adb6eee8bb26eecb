"""How often each system fooled people, and how surely that is known."""

from collections import Counter
from typing import Any

import numpy as np

from colorgan.seeding import seed_of
from colorgan.study.folder import Study
from colorgan.study.protocol import Trial, attentive, fooled, unanswered
from colorgan.study.store import Store

RESAMPLES = 10_000
CONVINCING = 3  # pictures of each system in the table; the JSON has all

Report = dict[str, Any]


def bootstrap(rates: np.ndarray, pairs: int, seed: int) -> list[float] | None:
    """The 95% interval of the mean rate: participants are drawn with replacement, then each one's pairs.

    To draw n of a participant's n pairs with replacement is one binomial draw at the participant's own rate, so that
    no pair is touched. Two levels, as Zhang, Isola and Efros 2016 do it; 2.5th and 97.5th percentiles.

    Args:
        rates: (S,) of the participants, in [0, 1].
        pairs: how many each has judged.
        seed: of the draws.

    Returns:
        [low, high] in [0, 1], or None without participants.
    """
    if not len(rates):
        return None
    generator = np.random.default_rng(seed)
    drawn = rates[generator.integers(len(rates), size=(RESAMPLES, len(rates)))]
    means = generator.binomial(pairs, drawn).mean(axis=1) / pairs
    return [float(end) for end in np.percentile(means, [2.5, 97.5])]


def report(store: Store) -> Report:
    """The results of all systems, ready for JSON.

    Only complete sessions count, because who leaves early may leave for the pictures; the main rate leaves out those
    that failed the vigilance pairs, too. Both kinds are listed.
    """
    study = store.study
    held = {system: {} for system in study.systems}
    for session in store.sessions():
        held[session.system][session.id] = store.trials(session.id)
    systems = {name: _system(study, held[name], seed_of(study.seed, n)) for n, name in enumerate(study.systems)}
    return {"study": str(study.root), "resamples": RESAMPLES, "systems": systems}


def _system(study: Study, sessions: dict[str, list[Trial]], seed: int) -> Report:
    complete = {name: trials for name, trials in sessions.items() if unanswered(trials) is None}
    right = {name: attentive(trials) for name, trials in complete.items()}
    counted = {name: trials for name, trials in complete.items() if right[name] >= study.protocol.vigilance_needed}
    return {
        **_rate(study, list(counted.values()), seed),
        "all_complete": _rate(study, list(complete.values()), seed),
        "failed_vigilance": [{"session": name, "right": right[name]} for name in complete if name not in counted],
        "incomplete": [
            {"session": name, "answered": unanswered(trials)}
            for name, trials in sessions.items()
            if name not in complete
        ],
        "pictures": _pictures(study, list(counted.values())),
    }


def _rate(study: Study, sessions: list[list[Trial]], seed: int) -> Report:
    judged = np.array([fooled(trials) for trials in sessions], dtype=bool).reshape(len(sessions), study.protocol.scored)
    return {
        "sessions": len(sessions),
        "pairs": judged.size,
        "fooled": int(judged.sum()),
        "rate": float(judged.mean()) if judged.size else None,
        "interval": bootstrap(judged.mean(axis=1), study.protocol.scored, seed) if judged.size else None,
    }


def _pictures(study: Study, sessions: list[list[Trial]]) -> list[Report]:
    """How often each picture was shown in a scored pair and how often it fooled; the most convincing first."""
    shown, taken = Counter(), Counter()
    for trial in (trial for trials in sessions for trial in trials if trial.kind == "scored"):
        shown[trial.picture] += 1
        taken[trial.picture] += trial.answer != trial.fake
    ranked = sorted(shown, key=lambda picture: (-taken[picture] / shown[picture], -shown[picture], picture))
    return [{"picture": study.pictures[p], "number": p, "shown": shown[p], "fooled": taken[p]} for p in ranked]


def lines(results: Report) -> list[str]:
    """The report as a short table; a rate of 50% is that of pictures nobody can tell from real ones."""
    systems = results["systems"]
    width = max(len("system"), *map(len, systems))
    table = [f"{'system':<{width}}  sessions       fooled    rate   95% interval   with inattentive ones"]
    for name, system in systems.items():
        every = system["all_complete"]
        table.append(
            f"{name:<{width}}  {system['sessions']:>8}  {system['fooled']:>5}/{system['pairs']:<5}"
            f"  {_percent(system['rate'])}  {_interval(system['interval'])}"
            f"   {_percent(every['rate'])} ({every['sessions']} sessions)"
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
        best = [picture for picture in system["pictures"][:CONVINCING] if picture["fooled"]]
        table += [f"{name}: fooled {p['fooled']} of {p['shown']} with {p['picture']}" for p in best]
    return table


def _percent(rate: float | None) -> str:
    return "     -" if rate is None else f"{rate:6.1%}"


def _interval(ends: list[float] | None) -> str:
    return f"{'-':>14}" if ends is None else f"{ends[0]:5.1%} to {ends[1]:5.1%}"
