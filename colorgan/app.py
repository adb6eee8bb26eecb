"""Color photographs in a browser: `colorgan app [--export DIR]`. They stay on this machine."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from colorgan import cli
from colorgan.cli import Parser, port, program


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 bad usage."""
    return cli.run(lambda: _run(_parser().parse_args(argv)), "nothing was written")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=program("app"),
        description="Serve a page on which photographs are colored by the browser itself, with the released model: "
        "no picture leaves it. docs/app.md has more.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 allows other machines (%(default)s)"
    )
    parser.add_argument("--port", type=port, default=8000, help="port to listen on; 0 for any free one (%(default)s)")
    export = "write the page to a new folder instead, as files that any web server can host"
    parser.add_argument("--export", type=Path, metavar="DIR", help=export)
    return parser


def _run(args: argparse.Namespace) -> int:
    from colorgan.webpage import files

    page = files.built_page()
    if args.export:
        files.export(page, args.export)
        print(f"{args.export}: the page, for any web server")
        return 0
    _serve(page, args.host, args.port)
    return 0


def _serve(page: Path, host: str, port: int) -> None:
    from colorgan import serving
    from colorgan.webpage.server import make_app

    with serving.bind_socket(host, port) as listener:
        app = make_app(page, serving.accepted_hosts(listener))
        print(f"the page is at {serving.address(host, listener)} - Ctrl-C ends it", flush=True)
        with suppress(KeyboardInterrupt):
            serving.make_server(app).run(sockets=[listener])
        print("\nended")


if __name__ == "__main__":
    sys.exit(main())
