"""Write the pages that are made of the code, docs/experiments.md and docs/api.md: `python -m docs.generate`."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import colorgan
from colorgan.config.schema import Data, Experiment
from colorgan.systems import TABLES

FOLDER = Path(__file__).parent
TITLES = {"net": "Nets", "codec": "Codecs", "system": "Systems", "discriminator": "Discriminators", "data": "Datasets"}
HEADER = "<!-- Made of the code by `python -m docs.generate`; a test compares the two. -->\n"
INTRODUCTION = """An experiment is one YAML file that changes some of these defaults, and `key=value` on the command
line changes them again: `optim.lr=1e-4`, `net=zhang`, `net.width=32`. `colorgan train EXPERIMENT --dry-run` prints all
of them as they are resolved, and [zoo.md](zoo.md) lists the experiments that come with the package."""


def experiments_page() -> str:
    """Return the page of every key of an experiment."""
    parts = [
        "# Every key of an experiment",
        f"{HEADER}\n{INTRODUCTION}",
        "## At the top",
        _paragraph(inspect.getdoc(Experiment)),
        _table(_dataclass_rows(Experiment, "", skip=is_dataclass)),
    ]
    sections = [field for field in fields(Experiment) if is_dataclass(field.type)]
    for name, cls in [("data", Data), *((field.name, field.type) for field in sections)]:
        parts += [f"## {name}", _paragraph(inspect.getdoc(cls)), _table(_dataclass_rows(cls, f"{name}."))]
    for node, table in TABLES.items():
        parts += [
            f"## {TITLES[node]}",
            f"`{node}=NAME` chooses one of them, and `{node}.KEY=VALUE` sets what it takes.",
        ]
        for name, cls in table.items():
            parts += [f"### {node}={name}", _paragraph(inspect.getdoc(cls)), _table(_constructor_rows(cls, f"{node}."))]
    return "\n\n".join(part for part in parts if part) + "\n"


def api_page() -> str:
    """Return the page of the Python API."""
    parts = [
        "# The Python API",
        HEADER
        + "\n"
        + f"`from colorgan import {', '.join(colorgan.__all__)}`: all that a program needs that colors photographs.",
    ]
    for name in colorgan.__all__:
        item = getattr(colorgan, name)
        if inspect.isclass(item):
            given = str(inspect.signature(item)) if is_dataclass(item) else _signature(item.__init__)
            parts += [f"## {name}", _code(f"{name}{given}"), _docstring(item)]
            for method, function in _public_methods(item):
                parts += [f"### {name}.{method}", _code(f"{method}{_signature(function)}"), _docstring(function)]
        else:
            parts += [f"## {name}", _code(f"{name}{_signature(item)}"), _docstring(item)]
    return "\n\n".join(parts) + "\n"


PAGES: dict[str, Callable[[], str]] = {"experiments.md": experiments_page, "api.md": api_page}


def _dataclass_rows(cls: type, prefix: str, skip: Callable[[Any], bool] = lambda hint: False) -> Iterator[tuple]:
    """Yield key, type, default and meaning of each field that is no section of its own."""
    comments, hints = _comments(cls), typing.get_type_hints(cls)
    for field in fields(cls):
        if not skip(hints[field.name]):
            default = field.default if field.default is not MISSING else field.default_factory()
            yield f"{prefix}{field.name}", hints[field.name], default, comments.get(field.name, "")


def _constructor_rows(cls: type, prefix: str) -> Iterator[tuple]:
    """Yield the same of each argument of a constructor that an experiment may set."""
    described = _arguments(inspect.getdoc(cls) or "") | _comments(cls.__init__)
    hints, own = typing.get_type_hints(cls.__init__), {field.name for field in fields(Data)}
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.default is not parameter.empty and not (prefix == "data." and parameter.name in own):
            name = parameter.name
            yield f"{prefix}{name}", hints[name], parameter.default, described.get(name, "")


def _comments(item: Any) -> dict[str, str]:
    """Return the comment behind each field of a class, or behind each parameter of a function."""
    source = textwrap.dedent(inspect.getsource(item))
    lines = {
        token.start[0]: re.sub(r"^#\s*(noqa\S*.*)?", "", token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    node = ast.parse(source).body[0]
    if isinstance(node, ast.ClassDef):
        found = {n.target.id: n.end_lineno for n in node.body if isinstance(n, ast.AnnAssign)}
    else:
        found = {argument.arg: argument.end_lineno for argument in [*node.args.args, *node.args.kwonlyargs]}
    return {name: lines[line] for name, line in found.items() if lines.get(line)}


def _arguments(text: str) -> dict[str, str]:
    """Return the arguments that a Google docstring describes."""
    section = re.search(r"^Args:\n((?: +.*\n?|\n)+)", text, re.M)
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", section[1], re.M) if section else []
    return {name: " ".join(meaning.split()) for name, meaning in found}


def _table(rows: Iterator[tuple]) -> str:
    lines = [
        f"| `{key}` | {_escape(_type(hint))} | {_escape(_default(value))} | {_escape(meaning)} |"
        for key, hint, value, meaning in rows
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *lines]) if lines else ""


def _type(hint: Any) -> str:
    """Return a type as a person writes it: the choices of a Literal, `int or null`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(argument) for argument in arguments)
    if hint is type(None):
        return "null"
    if origin is tuple:
        return f"list of {len(arguments)} {_type(arguments[0])}"
    if origin is list:
        return f"list of {_type(arguments[0])}"
    return "any" if hint is Any else hint.__name__


def _default(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, tuple):
        value = list(value)
    if value == "":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _escape(text: str) -> str:
    return text.removesuffix(".").replace("|", r"\|").replace("<", "&lt;")


def _paragraph(text: str | None) -> str:
    """Return the text of a docstring before its sections."""
    return re.split(r"\n\n?(?:Args|Returns|Raises|Attributes):\n", text or "")[0].strip()


def _public_methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods that colorgan defines for a class, in the order of its source."""
    for owner in cls.__mro__:
        if owner.__module__.startswith("colorgan"):
            for name, member in vars(owner).items():
                function = member.__func__ if isinstance(member, classmethod) else inspect.unwrap(member)
                if inspect.isfunction(function) and not name.startswith("_") and function.__doc__:
                    yield name, function


def _signature(function: Any) -> str:
    """Return the parameters of a function as its source has them, without self."""
    source = textwrap.dedent(inspect.getsource(function))
    node = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef))
    if node.args.args and node.args.args[0].arg in ("self", "cls"):
        del node.args.args[0]
    returns = f" -> {ast.unparse(node.returns).strip(chr(39))}" if node.returns else ""
    return f"({', '.join(_parameters(node.args))}){returns}"


def _parameters(given: ast.arguments) -> Iterator[str]:
    """Yield `name: type = default` of each parameter."""
    defaults = [None] * (len(given.args) - len(given.defaults)) + given.defaults + given.kw_defaults
    for parameter, default in zip([*given.args, *given.kwonlyargs], defaults, strict=True):
        if given.kwonlyargs[:1] == [parameter]:
            yield "*"
        yield ast.unparse(parameter) + (f" = {ast.unparse(default)}" if default else "")
    if given.kwarg:
        yield f"**{ast.unparse(given.kwarg)}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _docstring(item: Any) -> str:
    """Return a Google docstring as Markdown: sections become lists."""
    text = inspect.cleandoc(item.__doc__)
    parts = [_paragraph(text)]
    for title, body in re.findall(r"^(Args|Attributes|Returns|Raises):\n((?: +.*\n?|\n(?= ))+)", text, re.M):
        entries = re.split(r"\n(?=\S)", textwrap.dedent(body).strip())
        lines = [re.sub(r"^([\w.]+): ", r"`\1`: ", " ".join(entry.split())) for entry in entries]
        parts.append(f"{title}:\n\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts)


if __name__ == "__main__":
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
        print(f"written: docs/{name}")
