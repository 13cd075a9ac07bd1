"""How a large picture is cut into tiles, and what was found on them put together again."""

from d2freq.inference.tiling.assemble import Merging, assemble
from d2freq.inference.tiling.plan import TilePlan, choose_tiles

__all__ = ["Merging", "TilePlan", "assemble", "choose_tiles"]
