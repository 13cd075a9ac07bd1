"""What a run searches: pictures, folders, globs, lists, COCO files, GeoTIFFs, videos."""

from d2freq.inference.sources.find import find_sources
from d2freq.inference.sources.open import open_source
from d2freq.inference.sources.source import OpenPicture, Source

__all__ = ["OpenPicture", "Source", "find_sources", "open_source"]
