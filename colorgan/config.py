"""Experiments: defaults < YAML file < key=value on the command line, checked, completed and then read-only.

The schema of a node that names a class (`net`, `codec`, ...) is that class's own annotated constructor: parameters with
a default are the node's keys, parameters without one are given by the suite (`channels`, `root`, ...).
"""

import difflib
import inspect
import logging
import os
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, make_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorgan.errors import UserError
from colorgan.experiment import Data, Experiment

log = logging.getLogger(__name__)
Table = Mapping[str, type]


NAMED = ("net", "codec", "system", "discriminator", "data")


def load(path: str | Path, overrides: Sequence[str], tables: Mapping[str, Table]) -> DictConfig:
    """Reads one experiment file.

    Args:
        path: a YAML file: the diff from the defaults.
        overrides: `key=value` items, with dots for nested keys.
        tables: for each of `NAMED`, name -> class.

    Returns:
        the complete experiment, read-only.

    Raises:
        UserError: an unreadable file, an unknown key or name, a value of a wrong type.
    """
    path = Path(path)
    try:
        given = OmegaConf.to_container(OmegaConf.load(path))
    except OSError as error:
        raise UserError(f"{path}: no such experiment file ({error.strerror}); `ls experiments` shows them") from None
    except Exception as error:
        raise UserError(f"{path}: not valid YAML: {_line(error)}") from None
    if not isinstance(given, dict):
        raise UserError(f"{path}: an experiment file is `key: value` lines, as in experiments/gan.yaml")
    return resolve({"name": path.stem, **given}, overrides, tables, origin=str(path))


def resolve(given: dict[str, Any], overrides: Sequence[str], tables: Mapping[str, Table], origin: str) -> DictConfig:
    """Completes and checks `given` (nested, plain) under `overrides`; `origin` names it in error lines."""
    given = {key: ({"name": node} if key in NAMED and isinstance(node, str) else node) for key, node in given.items()}
    dotlist = [_spell_out(item) for item in overrides]
    given, classes = _choose_classes(given, dotlist, tables)
    schema = _schema(classes)
    experiment = _merge(schema, OmegaConf.create(given), origin)
    for item, dots in zip(overrides, dotlist, strict=True):
        experiment = _merge(experiment, OmegaConf.from_dotlist([dots]), item)
    experiment.run_dir = experiment.run_dir or os.path.join("checkpoints", experiment.name)
    if "size" in experiment.net and experiment.net.size is None:
        experiment.net.size = experiment.data.size
    if experiment.trainer.max_time is not None and not re.fullmatch(r"\d+(:\d\d){3}", experiment.trainer.max_time):
        raise UserError("trainer.max_time: write days:hours:minutes:seconds with two digits each, as in 00:00:10:00")
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


def _spell_out(item: str) -> str:
    """`net=unet` means `net.name=unet`."""
    key, equals, value = item.partition("=")
    if not equals:
        raise UserError(f"{item}: an override is key=value, as in data.size=64")
    return f"{key}.name={value}" if key in NAMED else item


def _choose_classes(
    given: dict[str, Any], dotlist: list[str], tables: Mapping[str, Table]
) -> tuple[dict[str, Any], dict[str, type]]:
    """The class of each named node, and `given` without the arguments of a class that an override replaced."""
    given, classes = dict(given), {}
    defaults = {f.name: f.default for f in fields(Experiment)}
    for key in NAMED:
        node = given.get(key) or {}
        if not isinstance(node, dict):
            raise UserError(f"{key}: write a name, or `name:` and arguments below it")
        written = node.get("name", defaults[key])
        name = next((d.split("=", 1)[1] for d in reversed(dotlist) if d.startswith(f"{key}.name=")), written)
        if name not in tables[key]:
            raise UserError(f"{key}={name}: {_unknown(name, tables[key], key)}; there are: {', '.join(tables[key])}")
        if name != written:
            own = {f.name for f in fields(Data)} if key == "data" else set()
            dropped = sorted(set(node) - own - {"name"})
            node = {k: v for k, v in node.items() if k in own}
            if dropped:
                log.warning(
                    "%s=%s: dropped what the experiment says for '%s': %s", key, name, written, ", ".join(dropped)
                )
        given[key] = {**node, "name": name}
        classes[key] = tables[key][name]
    return given, classes


def _schema(classes: dict[str, type]) -> DictConfig:
    """The typed experiment in which each named node has the keys of its class."""
    nodes = {key: _node_schema(cls, Data if key == "data" else None) for key, cls in classes.items()}
    return OmegaConf.structured(Experiment(**nodes))


def _node_schema(cls: type, base: type | None) -> Any:
    """A dataclass instance with `name` and the constructor's parameters that have a default."""
    hints = typing.get_type_hints(cls.__init__)
    members: list[Any] = [] if base else [("name", str, "")]
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.default is not parameter.empty:
            members.append((parameter.name, hints[parameter.name], _default(parameter.default)))
    return make_dataclass(cls.__name__, members, bases=(base,) if base else ())()


def _default(value: Any) -> Any:
    return field(default_factory=lambda: list(value)) if isinstance(value, list) else field(default=value)


def _merge(config: DictConfig, update: Any, origin: str) -> DictConfig:
    _check_keys(update, config, origin)
    try:
        return OmegaConf.merge(config, update)
    except OmegaConfBaseException as error:
        key = "" if f"{error.full_key}=" in origin else f"{error.full_key}: "
        raise UserError(f"{origin}: {key}{_line(error)}") from None


def _check_keys(update: Any, config: Any, origin: str, path: tuple[str, ...] = ()) -> None:
    """Raises UserError for the first key of `update` that `config` has not."""
    if not (isinstance(update, DictConfig) and isinstance(config, DictConfig)):
        return
    for key in update:
        here = (*path, str(key))
        if key not in config:
            where = "" if origin.startswith(".".join(here)) else f"{'.'.join(here)}: "
            owner = config.get("name") if path and "name" in config else ".".join(path)
            raise UserError(f"{origin}: {where}{_unknown(str(key), config, owner or 'an experiment', 'key ')}")
        _check_keys(OmegaConf.select(update, key), OmegaConf.select(config, key), origin, here)


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
