"""Local web servers: where they listen, and whose requests they answer."""

import os
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from colorgan.errors import UserError

LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "::1", "[::1]"]


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        UserError: the port is in use, or the host is not an address of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except socket.gaierror as error:
        raise UserError(f"--host {host}: {error.strerror}; give an address of this machine") from None
    except OSError as error:
        reason = os.strerror(error.errno)  # shorter than the error's own text, which repeats the address
        raise UserError(f"--host {host} --port {port}: {reason}; choose another --port or --host") from None


def address(host: str, listener: socket.socket) -> str:
    """Return the address of the page, given the name that the user called the host by."""
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{listener.getsockname()[1]}/"


def accepted_hosts(listener: socket.socket) -> list[str]:
    """Return the values of the Host header to accept, without the port; "*" accepts any, where others may connect."""
    return LOOPBACK_HOSTS if listener.getsockname()[0] in LOOPBACK_HOSTS else ["*"]


def require_host(hosts: list[str]) -> Middleware:
    """Return the middleware that refuses other values of the Host header, which prevents DNS rebinding."""
    return Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)


def make_server(app: Starlette) -> uvicorn.Server:
    """Return a server whose `run(sockets=[listener])` serves until Ctrl-C, and then raises KeyboardInterrupt."""
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off", server_header=False))
