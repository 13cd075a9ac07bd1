"""The default config as a tree; :func:`minid2.config.get_cfg` hands out copies."""

from .config import CfgNode
from .default_keys import DEFAULTS

_C = CfgNode(DEFAULTS)
