"""The web server of a study: the page, a small JSON interface, and pictures that do not say what they are."""

import json
import os
import socket
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from colorgan.errors import UserError
from colorgan.study.protocol import SIDES, Side, Trial, fooled, unanswered
from colorgan.study.store import Store

LOOPBACK = ["127.0.0.1", "localhost", "::1", "[::1]"]
PAGE = Path(__file__).with_name("page.html")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def build(store: Store, hosts: list[str]) -> Starlette:
    """The application.

    The plan stays here: a picture's address is (session, trial, side), and the two sides' answers differ in nothing but
    the picture. No answer says which one was fake, but for practice pairs, after they are answered.

    Args:
        store: the sessions. The endpoints run one at a time on the event loop, so it needs no lock.
        hosts: the names that this server goes by; '*': any. Keeps a strange site's name from pointing here.
    """
    session = "/api/sessions/{session}"
    routes = [
        Route("/", _page),
        Route("/api/sessions", partial(_begin, store), methods=["POST"]),
        Route(session, partial(_state, store)),
        Route(session + "/trials/{trial}", partial(_answer, store), methods=["POST"]),
        Route(session + "/trials/{trial}/{side}.png", partial(_picture, store)),
    ]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: _complain})


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; port 0 takes any that is free.

    Raises:
        UserError: the port is in use, or the host is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except socket.gaierror as error:
        raise UserError(f"--host {host}: {error.strerror}; give an address of this machine") from None
    except OSError as error:
        reason = os.strerror(error.errno)  # the error's own text goes on about addresses
        raise UserError(f"--host {host} --port {port}: {reason}; choose another --port or --host") from None


def prepare(store: Store, listener: socket.socket) -> uvicorn.Server:
    """A server whose `run(sockets=[listener])` serves until Ctrl-C, and then raises KeyboardInterrupt."""
    hosts = LOOPBACK if listener.getsockname()[0] in LOOPBACK else ["*"]
    config = uvicorn.Config(build(store, hosts), log_level="warning", ws="none", lifespan="off", server_header=False)
    return uvicorn.Server(config)


async def _page(request: Request) -> Response:
    return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers=_HEADERS | {"Content-Security-Policy": _POLICY})


async def _begin(store: Store, request: Request) -> Response:
    await _body(request)
    session = store.begin()
    return JSONResponse(_described(store, session.id, store.trials(session.id)), 201, _HEADERS)


async def _state(store: Store, request: Request) -> Response:
    session, trials = _session(store, request)
    return JSONResponse(_described(store, session, trials), headers=_HEADERS)


async def _answer(store: Store, request: Request) -> Response:
    side = (await _body(request)).get("fake")  # first, because from here on nothing may come between
    session, trials = _session(store, request)
    number, trial = _trial(trials, request)
    if side not in SIDES:
        raise HTTPException(400, f'the body is {{"fake": "left"}} or {{"fake": "right"}}, not fake = {side!r}')
    following = unanswered(trials)
    if following is not None and number > following:
        raise HTTPException(409, f"trial {following} comes first")
    recorded = store.answer(session, number, side)
    trials = store.trials(session)
    reply = {"recorded": recorded, "answer": trials[number].answer, "next": unanswered(trials)}
    if trial.kind == "practice":
        reply["fake"] = trial.fake
    return JSONResponse(reply, headers=_HEADERS)


async def _picture(store: Store, request: Request) -> Response:
    session, trials = _session(store, request)
    _, trial = _trial(trials, request)
    side: Side = request.path_params["side"]
    if side not in SIDES:
        raise HTTPException(404, "a picture is left.png or right.png")
    study = store.study
    if side == trial.fake:
        file = study.fake(trial.picture, trial.kind, store.system(session))
    else:
        file = study.real(trial.picture)
    # Not a FileResponse: the time of the file's last change would tell the fake from the real one.
    return Response(file.read_bytes(), media_type="image/png", headers=_HEADERS)


def _session(store: Store, request: Request) -> tuple[str, list[Trial]]:
    session = request.path_params["session"]
    trials = store.trials(session)
    if not trials:
        raise HTTPException(404, "there is no such session")
    return session, trials


def _trial(trials: list[Trial], request: Request) -> tuple[int, Trial]:
    numbers = {str(number): number for number in range(len(trials))}
    if request.path_params["trial"] not in numbers:
        raise HTTPException(404, f"there is no such trial; they are 0 to {len(trials) - 1}")
    number = numbers[request.path_params["trial"]]
    return number, trials[number]


async def _body(request: Request) -> dict:
    """The JSON object that was sent. A strange site's form cannot send this content type, so it cannot answer."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise HTTPException(400, "the content type is application/json")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return body


def _described(store: Store, session: str, trials: list[Trial]) -> dict:
    """What the page needs to know of a session; how often it was fooled only at the end."""
    protocol, following = store.study.protocol, unanswered(trials)
    times = {name: getattr(protocol, name) for name in ("before_ms", "shown_ms", "between_ms", "feedback_ms")}
    result = {"scored": protocol.scored, "fooled": sum(fooled(trials))} if following is None else None
    return {
        "session": session,
        "size": store.study.size,
        "practice": protocol.practice,
        "total": len(trials),
        "next": following,
        "result": result,
        **times,
    }


async def _complain(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, {**_HEADERS, **(error.headers or {})})
