"""The objects of one image, field by field."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch


class Instances:
    """N objects of an image: fields of equal length (boxes, scores, classes, ...).

    Fields are read and written as attributes, ``instances.gt_boxes = Boxes(...)``, and asked for
    with ``"gt_boxes" in instances`` or :meth:`has`. ``instances[index]`` indexes every field.
    Attributes that start with an underscore are not fields.
    """

    def __init__(self, image_size: tuple[int, int], **kwargs: Any):
        """Start with the fields in ``kwargs``; ``image_size`` is (height, width)."""
        self._image_size = image_size
        self._fields: dict[str, Any] = {}
        for name, value in kwargs.items():
            self.set(name, value)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self._image_size

    def __setattr__(self, name: str, val: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, val)
        else:
            self.set(name, val)

    def __getattr__(self, name: str) -> Any:
        # `_fields` itself is missing while pickle and copy build the object.
        if name == "_fields" or name not in self._fields:
            raise AttributeError(f"these Instances have no field {name!r}")
        return self._fields[name]

    def set(self, name: str, value: Any) -> None:
        """Store a field; its length must be that of the fields already there."""
        # While tracing lengths are symbolic, and a comparison would be frozen into the graph.
        if self._fields and not torch.jit.is_tracing():
            assert len(value) == len(self), (
                f"field {name!r} has {len(value)} entries, these Instances hold {len(self)}"
            )
        self._fields[name] = value

    def has(self, name: str) -> bool:
        """Whether there is a field ``name``."""
        return name in self._fields

    __contains__ = has

    def get(self, name: str) -> Any:
        """The field ``name``; KeyError where there is none."""
        return self._fields[name]

    def remove(self, name: str) -> None:
        """Forget the field ``name``."""
        del self._fields[name]

    def get_fields(self) -> dict[str, Any]:
        """The fields by name: the dictionary itself, not a copy."""
        return self._fields

    def to(self, *args: Any, **kwargs: Any) -> "Instances":
        """A new object whose fields have been moved, where they can be moved."""
        return self._map(lambda v: v.to(*args, **kwargs) if hasattr(v, "to") else v)

    def __getitem__(self, item: int | slice | torch.Tensor) -> "Instances":
        """Index every field; an ``int`` gives Instances of length 1."""
        if isinstance(item, int):
            count = len(self)
            if not -count <= item < count:
                raise IndexError(f"index {item} in Instances of length {count}")
            item = slice(item % count, item % count + 1)
        return self._map(lambda v: v[item])

    def _map(self, change: Callable) -> "Instances":
        changed = {name: change(value) for name, value in self._fields.items()}
        return Instances(self._image_size, **changed)

    def __len__(self) -> int:
        for value in self._fields.values():
            return len(value)
        raise NotImplementedError("Instances without any field have no length")

    def __iter__(self) -> Iterator:
        raise NotImplementedError("Instances cannot be iterated; iterate a field, or index")

    @staticmethod
    def cat(instance_lists: Sequence["Instances"]) -> "Instances":
        """Join Instances of one image that have the same fields.

        Tensors and lists are joined, other fields by the ``cat`` of their class.
        """
        first = instance_lists[0]
        if len(instance_lists) == 1:
            return first
        size = first.image_size  # a tensor while tracing
        assert isinstance(size, torch.Tensor) or all(i.image_size == size for i in instance_lists)
        joined = Instances(size)
        for name, value in first._fields.items():
            values = [instances.get(name) for instances in instance_lists]
            if isinstance(value, torch.Tensor):
                joined.set(name, torch.cat(values))
            elif isinstance(value, list):
                joined.set(name, list(itertools.chain.from_iterable(values)))
            else:
                joined.set(name, type(value).cat(values))
        return joined

    def __repr__(self) -> str:
        count = len(self) if self._fields else 0
        height, width = self._image_size
        fields = ", ".join(f"{name}: {value}" for name, value in self._fields.items())
        return (
            f"Instances(num_instances={count}, image_height={height}, image_width={width}, "
            f"fields=[{fields}])"
        )
