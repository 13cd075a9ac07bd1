"""Pickling of closures, for the worker processes of a data loader."""

import pickle
from typing import Any

import cloudpickle


class PicklableWrapper:
    """Behaves as the callable inside, and is pickled by cloudpickle, lambdas included."""

    def __init__(self, obj: Any):
        """Wrap ``obj``; a wrapper is not wrapped again."""
        self._obj: Any = obj._obj if isinstance(obj, PicklableWrapper) else obj

    def __reduce__(self):
        return _unpickle, (cloudpickle.dumps(self._obj),)

    def __call__(self, *args, **kwargs):
        return self._obj(*args, **kwargs)

    def __getattr__(self, attr: str) -> Any:
        return getattr(self._obj, attr)


def _unpickle(data: bytes) -> PicklableWrapper:
    return PicklableWrapper(pickle.loads(data))
