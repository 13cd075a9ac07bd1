"""Training data as a stream with a position: resumed exactly, and past pictures that are broken."""

from d2freq.data.stream.bad_images import POLICIES
from d2freq.data.stream.loader import ExactLoader
from d2freq.data.stream.take_apart import exact_loader

__all__ = ["POLICIES", "ExactLoader", "exact_loader"]
