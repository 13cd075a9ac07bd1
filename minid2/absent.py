"""What only the real Detectron2 has, by place: it can be imported here, and says so when used.

Scripts import more than they use. Were these names missing, a script that offers rotated boxes
would not start for those who have upright ones.
"""

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

SOURCE = "https://github.com/facebookresearch/detectron2"


def _read_table() -> tuple[dict[str, tuple[str, list[str]]], dict[str, dict[str, str]]]:
    """By module what it is for, and its names; by module or package names and where they are."""
    table, places = {}, {}  # type: ignore[var-annotated]
    for row in (Path(__file__).parent / "absent.txt").read_text(encoding="utf-8").splitlines():
        if row.startswith("#"):
            continue
        home, topic, words = (part.strip() for part in row.split("|"))
        table[home] = topic, words.split()
        place = home
        while place:
            places.setdefault(place, {}).update(dict.fromkeys(words.split(), home))
            place = place.rpartition(".")[0]
    return table, places


ABSENT, _NAMES = _read_table()


def topic_of(path: str) -> str | None:
    """What a module of the real Detectron2 alone (``structures.keypoints``) is for; None else.

    Of modules that exist here the caller has to know that they do.
    """
    while path and path not in ABSENT:
        path = path.rpartition(".")[0]
    return ABSENT[path][0] if path else None


def fill_in(module: ModuleType, path: str, missing: bool) -> None:
    """Let ``module``, Detectron2's ``path``, hand out stand-ins for the names that it lacks.

    Args:
        module: gets a function ``__getattr__``.
        path: within the package, ``structures.boxes``.
        missing: the whole module is, so that every public name gets one.
    """
    names = _NAMES.get(path, {})
    if not (missing or names) or "__getattr__" in vars(module):
        return

    def look_up(name: str) -> Any:
        if name.startswith("__") or not (missing or name in names):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return _stand_in(names.get(name, path), name)

    module.__getattr__ = look_up  # type: ignore[method-assign]
    module.__absent__ = missing  # type: ignore[attr-defined]


class _StandIn(type):
    """The class of such names: each is a class that can be inherited from and compared with."""

    _why: str

    def _refuse(cls, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(cls._why)

    __call__ = __iter__ = __len__ = __getitem__ = __contains__ = _refuse

    def __getattr__(cls, name: str) -> Any:
        raise AttributeError(f"{name}: {cls._why}")


@functools.cache
def _stand_in(home: str, name: str) -> _StandIn:
    """The one class for ``name`` of the module ``home``."""
    why = (
        f"detectron2.{home}.{name} ({topic_of(home)}) is not part of minid2: it comes from the "
        f"real Detectron2, {SOURCE}"
    )
    return _StandIn(name, (), {"__module__": f"detectron2.{home}", "__doc__": why, "_why": why})


def is_stand_in(thing: Any) -> bool:
    """Whether ``thing`` is such a name, or a module of them."""
    return isinstance(thing, _StandIn) or getattr(thing, "__absent__", False)
