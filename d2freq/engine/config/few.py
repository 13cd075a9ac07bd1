"""The few test images of a dry run."""

import itertools
from collections.abc import Iterator
from typing import Any

__all__ = ["SHORT", "few"]

SHORT = "fast_dev_run"  # the folder of a dry run, within that of the training


class Few:
    """The first batches of a loader, with a length."""

    def __init__(self, loader: Any, number: int) -> None:
        self.loader, self.number = loader, number

    def __len__(self) -> int:
        return min(self.number, len(self.loader))

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(iter(self.loader), self.number)


def few(loader: Any, run: Any) -> Any:
    """The loader, or in a dry run (``run.ENABLED``) its first ``run.IMAGES`` batches."""
    return Few(loader, run.IMAGES) if run.ENABLED else loader
