"""Switches of a system, each written once: meaning, legal values, and what each preset takes.

Where a paper and its published code differ, or leave a choice, a system has a frozen dataclass::

    @dataclass(frozen=True)
    class Switches(SwitchSet):
        system, section = "HSFPN", "MODEL.HSFPN"

        groups: int = switch("Groups of the convolutions.", at_least=1, default=32)
        tail_norm: str = switch("Norm.", choices=("", "GN"), paper="", released="GN")

Its fields give the keys of the config (``keys``, ``read``), the keywords of a constructor
(``takes_switches``), the check of every value (``resolve``) and the table in the docs (``table``).
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar, get_args

from detectron2.config import CfgNode as CN

from d2freq.errors import UserError
from d2freq.utils.choices import choice, did_you_mean, join_names

__all__ = ["SwitchSet", "switch", "takes_switches"]

F = TypeVar("F", bound=Callable)
S = TypeVar("S", bound="SwitchSet")


def switch(
    meaning: str,
    *,
    choices: Sequence[Any] = (),
    at_least: float = 0,
    at_most: float | None = None,
    default: Any = None,
    **presets: Any,
) -> Any:
    """A field of a :class:`SwitchSet`.

    Args:
        meaning: what it does and why, in Markdown.
        choices: the legal values; those of a bool need no telling.
        at_least: the least number, where there are no choices.
        at_most: the largest one.
        default: the value in all presets, where they agree.
        **presets: else the value in each, as ``paper=16, released=8``.
    """
    about = {"meaning": meaning, "choices": tuple(choices), "limits": (at_least, at_most)}
    first = next(iter(presets.values()), default)
    return field(default=first, metadata={**about, "presets": presets})


@dataclass(frozen=True)
class SwitchSet:
    """The switches of a system; a subclass has a field for each, made by :func:`switch`.

    A field is a bool, str, int or float, or ``tuple[int, ...]`` and the like: a value for each
    level, which a system with such fields makes of one number before it calls ``resolve``. The
    types are read from the annotations, so the module must not make those strings (``from
    __future__ import annotations``).
    """

    system: ClassVar[str]  # the class that takes the switches
    section: ClassVar[str]  # of the config

    @classmethod
    def names(cls) -> list[str]:
        """All switches; a key of the config is the same in upper case."""
        return [each.name for each in fields(cls)]

    @classmethod
    def per_level(cls) -> list[str]:
        """Those that have a value a level."""
        return [each.name for each in fields(cls) if get_args(each.type)]

    @classmethod
    def label(cls, name: str) -> str:
        """A switch as errors name it."""
        return f"{cls.system} switch {name} ({cls.section}.{name.upper()})"

    @classmethod
    def presets(cls: type[S]) -> dict[str, S]:
        """Every preset by its name; the first one is the default.

        Raises:
            TypeError: two switches name different presets.
        """
        given = {e.name: e.metadata["presets"] for e in fields(cls) if e.metadata["presets"]}
        names = list(next(iter(given.values())))
        for name, values in given.items():
            if set(values) != set(names):
                raise TypeError(f"{cls.label(name)} names presets {[*values]}, others {names}")
        return {preset: cls(**{n: v[preset] for n, v in given.items()}) for preset in names}

    @classmethod
    def preset(cls: type[S], name: str) -> S:
        """The preset of that name, or a UserError that says which there are."""
        presets = cls.presets()
        return presets[choice(name, presets, key=f"{cls.system} preset ({cls.section}.PRESET)")]

    @classmethod
    def resolve(cls: type[S], preset: str, overrides: Mapping[str, Any]) -> S:
        """A preset with single switches overridden, checked; ``None`` leaves the preset's value.

        Raises:
            UserError: an unknown preset, switch or value; it names the culprit and the choices.
        """
        base = cls.preset(preset)
        for name in overrides:
            if name not in cls.names():
                near = did_you_mean(name, cls.names()) or f"; there are {join_names(cls.names())}"
                raise UserError(f"{cls.system} has no switch {name!r}{near}")
        chosen = {name: value for name, value in overrides.items() if value is not None}
        switches = replace(base, **chosen)
        for each in fields(switches):
            value = getattr(switches, each.name)
            for single in value if get_args(each.type) else (value,):
                if not _is_legal(each, single):
                    raise UserError(
                        f"{cls.label(each.name)}: got {single!r}; choose from: {_legal(each)}"
                    )
        return switches

    @classmethod
    def keys(cls) -> CN:
        """The section of the config: PRESET, and every switch None, which is the preset's value."""
        return CN({"PRESET": next(iter(cls.presets()))} | {n.upper(): None for n in cls.names()})

    @classmethod
    def read(cls, node: CN) -> dict[str, Any]:
        """The constructor's keywords, ``preset`` among them, from the section of a config."""
        return {name: node[name.upper()] for name in ["preset", *cls.names()]}

    @classmethod
    def table(cls) -> str:
        """All switches in Markdown, a row each."""
        presets = cls.presets()
        rows = [["switch", "meaning", "values", *presets], ["---"] * (3 + len(presets))]
        for each in fields(cls):
            values = _legal(each) + ("; per level" if get_args(each.type) else "")
            chosen = [getattr(preset, each.name) for preset in presets.values()]
            cells = [join_names(v if isinstance(v, tuple) else (v,)) for v in chosen]
            rows.append([each.name.upper(), each.metadata["meaning"], values, *cells])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def takes_switches(switches: type[SwitchSet]) -> Callable[[F], F]:
    """Decorator that gives a function with ``**switches`` a keyword for each, None by default.

    They stand in its signature, by which lazy configs are checked. Any other keyword that the
    function does not take is a TypeError that names the nearest.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        parameters = own + [_keyword(each) for each in fields(switches)]
        known = [parameter.name for parameter in parameters]

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs.keys() - set(known):
                culprit = f"{function.__qualname__}() got an unexpected keyword argument {name!r}"
                raise TypeError(culprit + did_you_mean(name, known))
            return function(*args, **kwargs)

        checked.__signature__ = signature.replace(parameters=parameters)  # type: ignore
        return checked  # type: ignore[return-value]

    return decorate


def _keyword(each: Field) -> inspect.Parameter:
    kind: Any = _kind(each)
    takes = kind | Sequence[kind] | None if get_args(each.type) else kind | None
    return inspect.Parameter(
        each.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=takes
    )


def _kind(each: Field) -> Any:
    """Type of a single value."""
    return (get_args(each.type) or (each.type,))[0]


def _is_legal(each: Field, value: Any) -> bool:
    kind, choices = _kind(each), each.metadata["choices"]
    if isinstance(value, bool) or kind is bool:  # True is no 1
        return isinstance(value, bool) and kind is bool
    if not isinstance(value, (int, float) if kind is float else kind):
        return False
    if choices:
        return value in choices
    least, most = each.metadata["limits"]
    return value >= least and (most is None or value <= most)


def _legal(each: Field) -> str:
    kind, choices = _kind(each), each.metadata["choices"]
    if choices or kind is bool:
        return join_names(choices or (True, False))
    least, most = each.metadata["limits"]
    number = "a whole number" if kind is int else "a number"
    return f"{number} of at least {least}" if most is None else f"{number} in [{least}, {most}]"
