"""The web server of a study: the page, a JSON API, and pictures at addresses that do not reveal which one is fake."""

import json
import socket
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from colorgan import serving
from colorgan.study.protocol import SIDES, Side, Trial, first_unanswered, fooled_outcomes
from colorgan.study.store import Store

PAGE = Path(__file__).with_name("page.html")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def make_app(store: Store, hosts: list[str]) -> Starlette:
    """Return the ASGI application.

    Which picture is fake stays on the server. A picture's address is (session, trial, side), and the responses for the
    two sides differ in nothing but the picture. A response names the fake only after a practice trial is answered.

    Args:
        store: the sessions. It needs no lock, because the endpoints run one at a time on the event loop.
        hosts: accepted values of the Host header, without the port; "*" accepts any. This prevents DNS rebinding.
    """
    session = "/api/sessions/{session}"
    routes = [
        Route("/", _get_page),
        Route("/api/sessions", partial(_create_session, store), methods=["POST"]),
        Route(session, partial(_get_session, store)),
        Route(session + "/trials/{trial}", partial(_post_answer, store), methods=["POST"]),
        Route(session + "/trials/{trial}/{side}.png", partial(_get_picture, store)),
    ]
    return Starlette(
        routes=routes, middleware=[serving.require_host(hosts)], exception_handlers={HTTPException: _error_response}
    )


def make_server(store: Store, listener: socket.socket) -> uvicorn.Server:
    """Return a server whose `run(sockets=[listener])` serves until Ctrl-C, and then raises KeyboardInterrupt."""
    return serving.make_server(make_app(store, serving.accepted_hosts(listener)))


async def _get_page(request: Request) -> Response:
    return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers=_HEADERS | {"Content-Security-Policy": _POLICY})


async def _create_session(store: Store, request: Request) -> Response:
    await _read_json(request)
    session = store.create_session()
    return JSONResponse(_session_state(store, session.id, store.trials(session.id)), 201, _HEADERS)


async def _get_session(store: Store, request: Request) -> Response:
    session, trials = _find_session(store, request)
    return JSONResponse(_session_state(store, session, trials), headers=_HEADERS)


async def _post_answer(store: Store, request: Request) -> Response:
    side = (await _read_json(request)).get("fake")  # the last await, so that no other request runs from here on
    session, trials = _find_session(store, request)
    number, trial = _find_trial(trials, request)
    if side not in SIDES:
        raise HTTPException(400, f'the body must be {{"fake": "left"}} or {{"fake": "right"}}, not fake = {side!r}')
    next_trial = first_unanswered(trials)
    if next_trial is not None and number > next_trial:
        raise HTTPException(409, f"trial {next_trial} comes first")
    recorded = store.record_answer(session, number, side)
    trials = store.trials(session)
    reply = {"recorded": recorded, "answer": trials[number].answer, "next": first_unanswered(trials)}
    if trial.kind == "practice":
        reply["fake"] = trial.fake
    return JSONResponse(reply, headers=_HEADERS)


async def _get_picture(store: Store, request: Request) -> Response:
    session, trials = _find_session(store, request)
    _, trial = _find_trial(trials, request)
    side: Side = request.path_params["side"]
    if side not in SIDES:
        raise HTTPException(404, "a picture is left.png or right.png")
    study = store.study
    if side == trial.fake:
        file = study.fake_path(trial.picture, trial.kind, store.system(session))
    else:
        file = study.real_path(trial.picture)
    # Not a FileResponse, because its Last-Modified header could reveal the fake.
    return Response(file.read_bytes(), media_type="image/png", headers=_HEADERS)


def _find_session(store: Store, request: Request) -> tuple[str, list[Trial]]:
    session = request.path_params["session"]
    trials = store.trials(session)
    if not trials:
        raise HTTPException(404, "there is no such session")
    return session, trials


def _find_trial(trials: list[Trial], request: Request) -> tuple[int, Trial]:
    numbers = {str(number): number for number in range(len(trials))}
    if request.path_params["trial"] not in numbers:
        raise HTTPException(404, f"there is no such trial; they are 0 to {len(trials) - 1}")
    number = numbers[request.path_params["trial"]]
    return number, trials[number]


async def _read_json(request: Request) -> dict:
    """Return the JSON object in the body.

    Requiring the content type of JSON prevents cross-site request forgery, because HTML forms cannot send it.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise HTTPException(400, "the content type must be application/json")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return body


def _session_state(store: Store, session: str, trials: list[Trial]) -> dict:
    """Return the state of a session for the page; the result is None until the session is complete."""
    protocol, next_trial = store.study.protocol, first_unanswered(trials)
    times = {name: getattr(protocol, name) for name in ("before_ms", "shown_ms", "between_ms", "feedback_ms")}
    result = {"scored": protocol.scored, "fooled": sum(fooled_outcomes(trials))} if next_trial is None else None
    return {
        "session": session,
        "size": store.study.size,
        "practice": protocol.practice,
        "total": len(trials),
        "next": next_trial,
        "result": result,
        **times,
    }


async def _error_response(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, {**_HEADERS, **(error.headers or {})})
