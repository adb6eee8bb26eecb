"""Resolve experiments: defaults < YAML file < key=value on the command line, checked, and then read-only.

The schema of a node that names a class (`net`, `codec`, ...) is the annotated constructor of that class: parameters
with a default are the keys of the node, parameters without one are supplied by the suite (`channels`, `root`, ...).
"""

import difflib
import inspect
import logging
import os
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorgan.config.schema import Data, Experiment
from colorgan.errors import UserError
from colorgan.packaged import experiments

log = logging.getLogger(__name__)
Table = Mapping[str, type]


NAMED = ("net", "codec", "system", "discriminator", "data")


def load(path: str | Path, overrides: Sequence[str], tables: Mapping[str, Table]) -> DictConfig:
    """Read one experiment.

    Args:
        path: a YAML file (the diff from the defaults), or the name of a packaged experiment, as "gan".
        overrides: `key=value` items, with dots for nested keys.
        tables: for each of `NAMED`, name -> class.

    Returns:
        the complete experiment, read-only.

    Raises:
        UserError: an unreadable file, an unknown key or name, a value of a wrong type.
    """
    path = find(path)
    try:
        given = OmegaConf.to_container(OmegaConf.load(path))
    except OSError as error:
        if error.strerror:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        given = None  # OmegaConf's word for a file that holds one number or text
    except Exception as error:
        raise UserError(f"{path}: not valid YAML: {_line(error)}") from None
    if not isinstance(given, dict):
        raise UserError(f"{path}: an experiment file is `key: value` lines, as in experiments/gan.yaml")
    return resolve({"name": path.stem, **given}, overrides, tables, origin=str(path))


def find(path: str | Path) -> Path:
    """Return the file of an experiment: itself, or the packaged one of this name.

    Raises:
        UserError: there is neither.
    """
    path, known = Path(path), experiments()
    if os.path.exists(path) and not path.is_dir():  # Path.exists raises for names that are too long
        return path
    if str(path) in known:
        return known[str(path)]
    close = difflib.get_close_matches(path.stem, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise UserError(f"{path}: no such experiment file{hint}; the packaged experiments are {', '.join(known)}")


def resolve(given: dict[str, Any], overrides: Sequence[str], tables: Mapping[str, Table], origin: str) -> DictConfig:
    """Complete and check an experiment.

    Args:
        given: nested and plain, as of a YAML file.
        overrides: as of `load`; they win over `given`.
        tables: as of `load`. A node without a table is not looked at: a checkpoint that colors needs two of them.
        origin: the name of `given` in errors.

    Returns:
        the complete experiment, read-only.

    Raises:
        UserError: an unknown key or name, a value of a wrong type.
    """
    items = [_parted(item) for item in overrides]
    given, names = _choose_names(given, items, tables, origin)
    schema = Experiment(**{key: _node_schema(tables[key][name], name, key == "data") for key, name in names.items()})
    experiment, hints = OmegaConf.structured(schema), _hints(schema)
    _merge(experiment, given, hints, origin)
    for item, (key, text) in zip(overrides, items, strict=True):
        value = _value(text, hints.get(key), item)
        for part in reversed(key.split(".")):
            value = {part: value}
        _merge(experiment, value, hints, item)
    experiment.run_dir = experiment.run_dir or os.path.join("checkpoints", experiment.name)
    if "data" in tables and "size" in experiment.net and experiment.net.size is None:
        experiment.net.size = experiment.data.size
    OmegaConf.set_readonly(experiment, True)
    return experiment


def plain(node: DictConfig) -> dict[str, Any]:
    """The node as dict, list, str, number, bool and None only: what a checkpoint and W&B may hold."""
    return _untuple(OmegaConf.to_container(node, resolve=True))


def construct(table: Table, node: DictConfig, **given: Any) -> Any:
    """Builds what `node.name` names in `table`.

    Args:
        table: name -> class.
        node: `{name, **arguments}`, checked by `resolve`; keys that are not the constructor's are left alone.
        given: what the suite supplies; those that the constructor does not take are left alone.

    Raises:
        UserError: the constructor refused a value (ValueError).
    """
    parameters = inspect.signature(table[node.name]).parameters
    arguments = {key: value for key, value in plain(node).items() if key in parameters and key != "name"}
    arguments |= {key: value for key, value in given.items() if key in parameters}
    try:
        return table[node.name](**arguments)
    except ValueError as error:
        raise UserError(f"{node.name}: {_line(error)}") from error


def _parted(item: str) -> tuple[str, str]:
    """Key and text of `key=value`; `net=unet` means `net.name=unet`."""
    key, equals, text = item.partition("=")
    if not equals:
        raise UserError(f"{item}: an override is key=value, as in data.size=64")
    return (f"{key}.name" if key in NAMED else key), text


def _choose_names(
    given: dict[str, Any], items: list[tuple[str, str]], tables: Mapping[str, Table], origin: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """The name of each named node, and `given` without the arguments of a class that an override replaced."""
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
                log.warning("%s=%s: dropped what the experiment says for '%s': %s", key, name, written, dropped)
        given[key] = {**node, "name": name}
        names[key] = name
    return given, names


def _node_schema(cls: type, name: str, is_data: bool) -> Any:
    """A dataclass instance with `name` and the constructor's parameters that have a default."""
    hints = typing.get_type_hints(cls.__init__)
    members: list[Any] = [("name", str, name)]
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.default is not parameter.empty:
            members.append((parameter.name, hints[parameter.name], _default(parameter.default)))
    return make_dataclass(cls.__name__, members, bases=(Data,) if is_data else ())()


def _default(value: Any) -> Any:
    return field(default_factory=lambda: list(value)) if isinstance(value, list) else field(default=value)


def _hints(schema: Any, path: str = "") -> dict[str, Any]:
    """The type of every value below `schema`, by its dotted key."""
    found = {}
    for name, hint in typing.get_type_hints(type(schema)).items():
        value = getattr(schema, name)
        found |= _hints(value, f"{path}{name}.") if is_dataclass(value) else {path + name: hint}
    return found


def _value(text: str, hint: Any, item: str) -> Any:
    """What the text of an override means: itself where text is asked for, else YAML."""
    if hint in (str, str | None) or typing.get_origin(hint) is typing.Literal:
        return None if text == "null" and hint == str | None else text
    try:
        return plain(OmegaConf.from_dotlist([f"value={text}"]))["value"]
    except Exception as error:
        raise UserError(f"{item}: not a value that YAML can read: {_line(error)}") from None


def _merge(config: DictConfig, update: dict[Any, Any], hints: dict[str, Any], origin: str, path: str = "") -> None:
    """Sets every value of `update` in `config`, or raises UserError for the first that does not belong there."""
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
    wrong = isinstance(value, bool) and hint in (int, float)
    if wrong or (isinstance(value, dict) and hint is not Any) or (key == "name" and not value) or value == "???":
        raise UserError(f"{where}: {value!r} is not a value for it; it takes {_readable(hint)}")
    if key == "max_time" and type(value) is int and value >= 60**3:
        value = _sexagesimal(value)
    if key == "max_time" and value is not None and not re.fullmatch(r"\d+(:\d\d){3}", str(value)):
        raise UserError(f"{where}: write days:hours:minutes:seconds with two digits each, as in 00:00:10:00")
    try:
        OmegaConf.update(config, key, value, merge=False)
        plain(config)
    except (OmegaConfBaseException, TypeError, ValueError) as error:
        line = _line(error)
        helpful = not any(word in line for word in ("$VALUE", "ListConfig", "TupleConfig", "subclass", "container"))
        raise UserError(f"{where}: {line if helpful else f'it takes {_readable(hint)}'}") from None


def _sexagesimal(number: int) -> str:
    """The days:hours:minutes:seconds that YAML 1.1 took for one number to the base of 60."""
    return ":".join(f"{number // 60**power % (60 if power < 3 else number):02d}" for power in (3, 2, 1, 0))


def _readable(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")


def _unknown(word: str, known: Any, owner: str, kind: str = "") -> str:
    close = difflib.get_close_matches(word, [str(k) for k in known], n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"unknown {kind}'{word}' for '{owner}'{hint}"


def _line(error: Exception) -> str:
    """The first line of what the error says."""
    return (getattr(error, "msg", None) or str(error) or type(error).__name__).strip().splitlines()[0]


def _untuple(value: Any) -> Any:
    """Tuples as lists, for YAML and for checkpoints that read alike everywhere."""
    if isinstance(value, dict):
        return {str(k): _untuple(v) for k, v in value.items()}
    return [_untuple(v) for v in value] if isinstance(value, list | tuple) else value
