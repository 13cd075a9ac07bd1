"""The two global catalogues: how to load a data set by its name, and what is known about it."""

import logging
from collections import UserDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

__all__ = ["DatasetCatalog", "Metadata", "MetadataCatalog"]

# Attributes that were renamed long ago; old data set code still says the name on the left.
_RENAMED = {
    "class_names": "thing_classes",
    "dataset_id_to_contiguous_id": "thing_dataset_id_to_contiguous_id",
    "stuff_class_names": "stuff_classes",
}


class _DatasetCatalog(UserDict):
    """Maps a data set's name to the function that returns its ``list[dict]``.

    The records follow Detectron2's standard data set dicts: ``file_name``, ``height``, ``width``,
    ``image_id``, ``annotations``.
    """

    def register(self, name: str, func: Callable[[], list[dict]]) -> None:
        """Make ``func`` the loader of ``name``.

        Args:
            name: a new name, e.g. "tiny_scenes_train".
            func: takes no argument, and returns the same records in the same order at each call.

        Raises:
            AssertionError: ``func`` is not callable, or the name is taken.
        """
        if not callable(func):
            raise AssertionError(
                f"dataset '{name}' needs a function that returns its records, "
                f"got {type(func).__name__}"
            )
        if name in self:
            raise AssertionError(
                f"Dataset '{name}' is already registered! Choose another name, "
                "or DatasetCatalog.remove it first."
            )
        self[name] = func

    def get(self, name: str) -> list[dict]:  # type: ignore[override]
        """Load the data set: call the registered function.

        Raises:
            KeyError: the name is unknown; the message lists the known ones.
        """
        if name not in self:
            known = ", ".join(self) or "none: import the package that registers it"
            raise KeyError(f"Dataset '{name}' is not registered! Available datasets are: {known}")
        return self[name]()

    def list(self) -> list[str]:
        """All registered names."""
        return list(self)

    def remove(self, name: str) -> None:
        """Forget a name; KeyError if it is unknown."""
        self.pop(name)

    def __str__(self) -> str:
        return f"DatasetCatalog(registered datasets: {', '.join(self)})"

    __repr__ = __str__


class Metadata(SimpleNamespace):
    """What is known about one data set, as attributes: ``thing_classes``, ``json_file`` ...

    An attribute may be set again to an equal value, but never to another one.
    """

    name: str = "N/A"  # overwritten by MetadataCatalog.get

    def __getattr__(self, key: str) -> Any:  # called only where there is no such attribute
        if key in _RENAMED:
            return getattr(self, _new_name(key))
        known = ", ".join(k for k in vars(self) if k != "name")
        found = f"Available keys are: {known}." if known else "metadata is empty."
        raise AttributeError(
            f"Attribute '{key}' does not exist in the metadata of dataset '{self.name}': {found}"
        )

    def __setattr__(self, key: str, val: Any) -> None:
        key = _new_name(key)
        if key in vars(self) and vars(self)[key] != val:
            raise AssertionError(
                f"Attribute '{key}' in the metadata of '{self.name}' cannot be set to a different "
                f"value: {vars(self)[key]!r} != {val!r}. Use another dataset name, or "
                f"MetadataCatalog.remove('{self.name}') first."
            )
        super().__setattr__(key, val)

    def as_dict(self) -> dict[str, Any]:
        """All attributes in a new dict."""
        return dict(vars(self))

    def set(self, **kwargs: Any) -> "Metadata":
        """Set several attributes, and return self."""
        for key, val in kwargs.items():
            setattr(self, key, val)
        return self

    def get(self, key: str, default: Any = None) -> Any:
        """The attribute, or ``default`` where it does not exist."""
        return getattr(self, key, default)


def _new_name(key: str) -> str:
    if key not in _RENAMED:
        return key
    message = "Metadata '%s' was renamed to '%s'!"
    logging.getLogger(__name__).warning(message, key, _RENAMED[key])
    return _RENAMED[key]


class _MetadataCatalog(UserDict):
    """Maps a data set's name to its one :class:`Metadata`."""

    def get(self, name: str) -> Metadata:  # type: ignore[override]
        """The metadata of ``name``; made, with nothing in it, when first asked for."""
        if not name:
            raise AssertionError(
                "MetadataCatalog.get needs the name of a data set, got an empty one"
            )
        if name not in self:
            self[name] = Metadata(name=name)
        return self[name]

    def list(self) -> list[str]:
        """All names that have metadata."""
        return list(self)

    def remove(self, name: str) -> None:
        """Forget the metadata of ``name``; KeyError if there is none."""
        self.pop(name)

    def __str__(self) -> str:
        return f"MetadataCatalog(registered metadata: {', '.join(self)})"

    __repr__ = __str__


DatasetCatalog = _DatasetCatalog()
MetadataCatalog = _MetadataCatalog()
