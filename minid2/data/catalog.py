"""The two global catalogues: how to load a data set by its name, and what is known about it."""

from collections import UserDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class _Catalog(UserDict):
    """What both catalogues have in common."""

    def list(self) -> list[str]:
        """All names."""
        return list(self)

    def remove(self, name: str) -> None:
        """Forget a name; KeyError if it is unknown."""
        self.pop(name)

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}({', '.join(self)})"

    __str__ = __repr__


class _DatasetCatalog(_Catalog):
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
        assert callable(func), f"dataset '{name}' needs a function that returns its records"
        assert name not in self, f"Dataset '{name}' is already registered!"
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


class Metadata(SimpleNamespace):
    """What is known about one data set, as attributes: ``thing_classes``, ``json_file`` ...

    An attribute may be set again to an equal value, but never to another one.
    """

    name: str = "N/A"  # overwritten by MetadataCatalog.get

    def __getattr__(self, key: str) -> Any:  # called only where there is no such attribute
        raise AttributeError(
            f"Attribute '{key}' does not exist in the metadata of dataset '{self.name}', "
            f"which has {', '.join(vars(self)) or 'none'}"
        )

    def __setattr__(self, key: str, val: Any) -> None:
        if vars(self).get(key, val) != val:
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


class _MetadataCatalog(_Catalog):
    """Maps a data set's name to its one :class:`Metadata`."""

    def get(self, name: str) -> Metadata:  # type: ignore[override]
        """The metadata of ``name``; made, with nothing in it, when first asked for."""
        assert name, "MetadataCatalog.get needs the name of a data set"
        return self.setdefault(name, Metadata(name=name))


DatasetCatalog = _DatasetCatalog()
MetadataCatalog = _MetadataCatalog()
