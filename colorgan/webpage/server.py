"""The web server of the page: it hands out files, and takes nothing."""

from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from colorgan import serving

# Python's own table comes from the machine, and some lack the last two, without which a browser runs nothing.
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".onnx": "application/octet-stream",
    ".wasm": "application/wasm",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # A page that no other can reach may use memory that threads share.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The browser itself refuses to send anything elsewhere. Threads of ONNX Runtime start from blobs.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
        "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def make_app(page: Path, hosts: list[str]) -> Starlette:
    """Return the ASGI application.

    Args:
        page: folder of the built page; no file outside of it is handed out.
        hosts: accepted values of the Host header; see `serving.require_host`.
    """
    files = {path.relative_to(page).as_posix(): path for path in page.rglob("*") if path.is_file()}
    files[""] = page / "index.html"
    routes = [Route("/{name:path}", partial(_get_file, files))]
    return Starlette(routes=routes, middleware=[serving.require_host(hosts)])


async def _get_file(files: dict[str, Path], request: Request) -> Response:
    path = files.get(request.path_params["name"])
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_HEADERS)
