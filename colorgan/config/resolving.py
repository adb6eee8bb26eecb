"""Resolve and check experiments.

Values of the command line take precedence over those of the YAML file, and these over the defaults. The keys of a node
that names a class (`net`, `codec`, ...) are the parameters of its constructor that have a default, with their
annotations as types; parameters without a default (`channels`, ...) are passed by the code.
"""

import difflib
import inspect
import io
import logging
import os
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorgan.config.schema import Data, Experiment
from colorgan.errors import UserError
from colorgan.packaged import experiments

log = logging.getLogger(__name__)
Table = Mapping[str, type]

_LONGEST, _ALIASES = 1 << 20, 20  # of an experiment file
NAMED_NODES = ("net", "codec", "system", "discriminator", "data")


def load(path: str | Path, overrides: Sequence[str], tables: Mapping[str, Table]) -> DictConfig:
    """Read one experiment.

    Args:
        path: a YAML file with the values that differ from the defaults, or the name of a packaged experiment.
        overrides: `key=value` items, with dots for nested keys. They take precedence over the file.
        tables: for each of `NAMED_NODES`, name -> class.

    Returns:
        the complete experiment, read-only.

    Raises:
        UserError: the file is unreadable, a key or name is unknown, or a value has the wrong type.
    """
    path = find(path)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
        aliases = sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
        if len(text) > _LONGEST or aliases > _ALIASES:  # a few lines of aliases of aliases fill any memory
            raise UserError(f"{path}: more than {_LONGEST} characters or {_ALIASES} aliases; no experiment needs them")
        given = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)))
    except UserError:
        raise
    except OSError as error:
        if error.strerror:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        given = None  # OmegaConf raises this for a file that contains a single number or text
    except Exception as error:
        raise UserError(f"{path}: not valid YAML: {_first_line(error)}") from None
    if not isinstance(given, dict):
        raise UserError(f"{path}: an experiment file is `key: value` lines, as in experiments/gan.yaml")
    return resolve({"name": path.stem, **given}, overrides, tables, origin=str(path))


def find(path: str | Path) -> Path:
    """Return the path of an experiment's file, which may be given as the name of a packaged experiment.

    Raises:
        UserError: there is no such file or packaged experiment.
    """
    path, known = Path(path), experiments()
    if os.path.exists(path) and not path.is_dir():  # Path.exists raises OSError for names that are too long
        return path
    if str(path) in known:
        return known[str(path)]
    close = difflib.get_close_matches(path.stem, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise UserError(f"{path}: no such experiment file{hint}; the packaged experiments are {', '.join(known)}")


def resolve(given: dict[str, Any], overrides: Sequence[str], tables: Mapping[str, Table], origin: str) -> DictConfig:
    """Complete and check an experiment.

    Args:
        given: nested dict, as read from a YAML file.
        overrides: see `load`; they take precedence over `given`.
        tables: see `load`. Nodes without a table are not checked, as inference needs only `net` and `codec`.
        origin: where `given` comes from, for error messages.

    Returns:
        the complete experiment, read-only.

    Raises:
        UserError: a key or name is unknown, or a value has the wrong type.
    """
    items = [_split_override(item) for item in overrides]
    given, names = _choose_names(given, items, tables, origin)
    schema = Experiment(**{key: _node_schema(tables[key][name], name, key == "data") for key, name in names.items()})
    experiment, hints = OmegaConf.structured(schema), _collect_hints(schema)
    _merge(experiment, given, hints, origin)
    for item, (key, text) in zip(overrides, items, strict=True):
        value = _parse_value(text, hints.get(key), item)
        for part in reversed(key.split(".")):
            value = {part: value}
        _merge(experiment, value, hints, item)
    experiment.run_dir = experiment.run_dir or os.path.join("checkpoints", experiment.name)
    if "data" in tables and "size" in experiment.net and experiment.net.size is None:
        experiment.net.size = experiment.data.size
    OmegaConf.set_readonly(experiment, True)
    return experiment


def plain(node: DictConfig) -> dict[str, Any]:
    """Convert a node to dict, list, str, number, bool and None, for checkpoints and W&B."""
    return _tuples_to_lists(OmegaConf.to_container(node, resolve=True))


def construct(table: Table, node: DictConfig, **given: Any) -> Any:
    """Construct an instance of the class that a node names.

    Args:
        table: name -> class.
        node: `{name, **arguments}`, checked by `resolve`. Keys that are no parameters of the constructor are ignored.
        given: further arguments, which take precedence. Those that the constructor does not accept are ignored.

    Raises:
        UserError: the constructor raised ValueError.
    """
    parameters = inspect.signature(table[node.name]).parameters
    arguments = {key: value for key, value in plain(node).items() if key in parameters and key != "name"}
    arguments |= {key: value for key, value in given.items() if key in parameters}
    try:
        return table[node.name](**arguments)
    except ValueError as error:
        raise UserError(f"{node.name}: {_first_line(error)}") from error


def _split_override(item: str) -> tuple[str, str]:
    """Split `key=value` into key and text; for a node that names a class, `net=unet` means `net.name=unet`."""
    key, equals, text = item.partition("=")
    if not equals:
        raise UserError(f"{item}: an override is key=value, as in data.size=64")
    return (f"{key}.name" if key in NAMED_NODES else key), text


def _choose_names(
    given: dict[str, Any], items: list[tuple[str, str]], tables: Mapping[str, Table], origin: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Choose the class of each named node.

    Args:
        given: nested dict of the experiment.
        items: key and text of each override.
        tables: see `load`.
        origin: see `resolve`.

    Returns:
        `given`, without the arguments of classes that an override replaced, and node -> name of its class.
    """
    given, names = dict(given), {}
    for key in tables:
        node = given.get(key)
        node = {"name": node} if isinstance(node, str) else {} if node is None else node
        if not isinstance(node, dict):
            raise UserError(f"{origin}: {key}: write a name, or `name:` and arguments below it")
        written = node.get("name", getattr(Experiment, key))
        overriding = [text for path, text in items if path == f"{key}.name"]
        name = overriding[-1] if overriding else written
        if not isinstance(name, str) or name not in tables[key]:
            where = f"{key}={name}" if overriding else f"{origin}: {key}"
            raise UserError(f"{where}: {_unknown(str(name), tables[key], key)}; there are: {', '.join(tables[key])}")
        if name != written:
            own = {f.name for f in fields(Data)} if key == "data" else set()
            dropped = ", ".join(sorted(set(node) - own - {"name"}))
            node = {k: v for k, v in node.items() if k in own}
            if dropped:
                log.warning("%s=%s: dropped the arguments for '%s': %s", key, name, written, dropped)
        given[key] = {**node, "name": name}
        names[key] = name
    return given, names


def _node_schema(cls: type, name: str, is_data: bool) -> Any:
    """Return a dataclass instance with `name` and all parameters of the constructor that have a default."""
    hints = typing.get_type_hints(cls.__init__)
    members: list[Any] = [("name", str, name)]
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.default is not parameter.empty:
            members.append((parameter.name, hints[parameter.name], _make_field(parameter.default)))
    return make_dataclass(cls.__name__, members, bases=(Data,) if is_data else ())()


def _make_field(value: Any) -> Any:
    """Return a dataclass field with a default, which is copied if it is a list."""
    return field(default_factory=lambda: list(value)) if isinstance(value, list) else field(default=value)


def _collect_hints(schema: Any, path: str = "") -> dict[str, Any]:
    """Return dotted key -> type annotation for all values of a nested dataclass."""
    found = {}
    for name, hint in typing.get_type_hints(type(schema)).items():
        value = getattr(schema, name)
        found |= _collect_hints(value, f"{path}{name}.") if is_dataclass(value) else {path + name: hint}
    return found


def _parse_value(text: str, hint: Any, item: str) -> Any:
    """Parse the value of an override: text is kept if the type is str or Literal, and read as YAML otherwise."""
    if hint in (str, str | None) or typing.get_origin(hint) is typing.Literal:
        return None if text == "null" and hint == str | None else text
    try:
        return plain(OmegaConf.from_dotlist([f"value={text}"]))["value"]
    except Exception as error:
        raise UserError(f"{item}: not valid YAML: {_first_line(error)}") from None


def _merge(config: DictConfig, update: dict[Any, Any], hints: dict[str, Any], origin: str, path: str = "") -> None:
    """Set all values of a nested dict, and raise UserError for the first unknown key or wrong value.

    Args:
        config: node to change.
        update: nested dict with the new values.
        hints: dotted key -> type annotation.
        origin: where `update` comes from, for error messages.
        path: dotted key of the node, with a dot at its end.
    """
    for key, value in update.items():
        here = f"{path}{key}"
        where = origin if origin.startswith(here) else f"{origin}: {here}"
        if key not in config:
            owner = f"'{config.get('name') or path[:-1]}'" if path else "an experiment"
            raise UserError(f"{where}: {_unknown(str(key), config, owner.strip(chr(39)), 'key ')}")
        if here in hints:
            _set(config, key, value, hints[here], where)
        elif isinstance(value, dict):
            _merge(config[key], value, hints, origin, f"{here}.")
        else:
            raise UserError(f"{where}: write one of its keys, as in {here}.{next(iter(config[key]))}=...")


def _set(config: DictConfig, key: str, value: Any, hint: Any, where: str) -> None:
    """Set one value; raise UserError, with a message that starts with `where`, if its type is wrong."""
    wrong = isinstance(value, bool) and hint in (int, float)
    if wrong or (isinstance(value, dict) and hint is not Any) or (key == "name" and not value) or value == "???":
        raise UserError(f"{where}: {value!r} is invalid; the type is {_readable(hint)}")
    if key == "batch_size" and type(value) is not int and value != "auto":
        raise UserError(f"{where}: {value!r} is invalid; write a number of pictures, or auto")
    if key == "max_time" and type(value) is int and value >= 60**3:  # YAML 1.1 reads 00:10:00:00 to the base of 60
        value = _format_max_time(value)
    if key == "max_time" and value is not None and not re.fullmatch(r"\d+(:\d\d){3}", str(value)):
        raise UserError(f"{where}: write days:hours:minutes:seconds with two digits each, as in 00:00:10:00")
    try:
        OmegaConf.update(config, key, value, merge=False)
        plain(config)
    except (OmegaConfBaseException, TypeError, ValueError) as error:
        line = _first_line(error)
        helpful = not any(word in line for word in ("$VALUE", "ListConfig", "TupleConfig", "subclass", "container"))
        raise UserError(f"{where}: {line if helpful else f'the type is {_readable(hint)}'}") from None


def _format_max_time(number: int) -> str:
    """Return DD:HH:MM:SS for the integer that YAML 1.1 makes of it, as a number in base 60."""
    return ":".join(f"{number // 60**power % (60 if power < 3 else number):02d}" for power in (3, 2, 1, 0))


def _readable(hint: Any) -> str:
    """Return a type annotation as text, such as `int` or `float | None`."""
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")


def _unknown(word: str, known: Any, owner: str, kind: str = "") -> str:
    """Return an error message for an unknown name or key, which suggests the most similar known one."""
    close = difflib.get_close_matches(word, [str(k) for k in known], n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"unknown {kind}'{word}' for '{owner}'{hint}"


def _first_line(error: Exception) -> str:
    """Return the first line of an error message."""
    return (getattr(error, "msg", None) or str(error) or type(error).__name__).strip().splitlines()[0]


def _tuples_to_lists(value: Any) -> Any:
    """Convert nested tuples to lists, which YAML and checkpoints can store."""
    if isinstance(value, dict):
        return {str(k): _tuples_to_lists(v) for k, v in value.items()}
    return [_tuples_to_lists(v) for v in value] if isinstance(value, list | tuple) else value
