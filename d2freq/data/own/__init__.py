"""Data of one's own by its place alone: which files train, which ones measure, which classes."""

from d2freq.data.own.find import existing, find_own_data
from d2freq.data.own.splits import OwnData, Split

__all__ = ["OwnData", "Split", "existing", "find_own_data"]
