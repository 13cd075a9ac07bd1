"""Where d2freq's keys stand in a config that other extensions share, and what to do without them.

A node such as ``MODEL.FCOS`` is d2freq's unless it has keys that d2freq does not know: then another
extension was there first, and d2freq's keys are in ``MODEL.D2FREQ_FCOS``.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from d2freq.errors import UserError
from d2freq.utils.choices import did_you_mean

__all__ = ["PREFIX", "add_keys", "own_keys"]

logger = logging.getLogger(__name__)

PREFIX = "D2FREQ_"
CALL = "d2freq.add_d2freq_config(cfg)"


def add_keys(cfg: Any, name: str, keys: Any, *, shared: bool = False) -> None:
    """Add the keys of a node to a config, in place; one that is there keeps its value.

    Args:
        cfg: a CfgNode.
        name: the node, such as "MODEL.HSFPN"; its parent is there.
        keys: a CfgNode with all keys of d2freq in it, and their defaults.
        shared: it is a node of the host's, which has other keys too.

    Raises:
        UserError: the config is frozen, and lacks keys.
    """
    parent, last = _parent(cfg, name)
    if last in parent and not shared and _is_foreign(parent[last], keys):
        if PREFIX + last not in parent:
            stranger = _strangers(parent[last], keys)[0]
            logger.warning(
                "%s is another extension's, with %s in it; d2freq's keys of that name are in %s%s",
                *(name, stranger, _own(name), did_you_mean(stranger, keys, cutoff=0.75)),
            )
        last = PREFIX + last
    if last not in parent:
        _put(parent, last, keys)
    else:
        _fill(parent[last], keys)


def own_keys(cfg: Any, name: str, keys: Mapping, *, shared: bool = False) -> Any:
    """The node of a config in which d2freq's keys stand, whole.

    Args:
        cfg: a CfgNode.
        name: the node, such as "MODEL.HSFPN".
        keys: all keys of d2freq in it.
        shared: it is a node of the host's, which has other keys too.

    Raises:
        UserError: the config has not got them; the message names the call that adds them.
    """
    parent, last = _parent(cfg, name)
    node = parent.get(PREFIX + last, parent.get(last))
    if not isinstance(node, Mapping):
        raise UserError(
            f"the config has no {name}: call {CALL} before cfg.merge_from_file(...)"
            if node is None
            else f"{name} is {node!r} and not a node of keys"
        )
    missing = list(_missing(node, keys))
    if not missing:
        return node
    if not shared and _is_foreign(node, keys):
        raise UserError(
            f"{name} is another extension's, with {_strangers(node, keys)[0]} in it: call {CALL} "
            f"behind theirs, and d2freq's keys are {_own(name)}"
        )
    raise UserError(
        f"{name} lacks {missing[0]}{_others(len(missing) - 1)}: call {CALL} before "
        "cfg.merge_from_file(...)"
    )


def _parent(cfg: Any, name: str) -> tuple[Any, str]:
    *path, last = name.split(".")
    for part in path:
        cfg = cfg[part]
    return cfg, last


def _own(name: str) -> str:
    parent, _, last = name.rpartition(".")
    return f"{parent}.{PREFIX}{last}" if parent else PREFIX + last


def _others(count: int) -> str:
    return f" and {count} more" if count else ""


def _strangers(node: Any, keys: Mapping) -> list[str]:
    return [key for key in node if key not in keys] if isinstance(node, Mapping) else ["a value"]


def _missing(node: Mapping, keys: Mapping, prefix: str = "") -> Iterator[str]:
    for key, value in keys.items():
        if key not in node:
            yield prefix + key
        elif isinstance(value, Mapping) and isinstance(node[key], Mapping):
            yield from _missing(node[key], value, f"{prefix}{key}.")


def _is_foreign(node: Any, keys: Mapping) -> bool:
    """Whether it has keys that d2freq does not know, and not all of those that it knows."""
    if not isinstance(node, Mapping):
        return True
    return bool(_strangers(node, keys)) and any(_missing(node, keys))


def _fill(node: Any, keys: Mapping) -> None:
    for key, value in keys.items():
        if key not in node:
            _put(node, key, value)
        elif isinstance(value, Mapping) and isinstance(node[key], Mapping):
            _fill(node[key], value)


def _put(node: Any, key: str, value: Any) -> None:
    if node.is_frozen():  # yacs lets an item be set even then
        raise UserError(f"the config is frozen and lacks {key}: call {CALL} before cfg.freeze()")
    node[key] = value
