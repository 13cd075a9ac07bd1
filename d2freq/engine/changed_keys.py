"""Which settings of a resumed training are others than before, so that nobody misses a change."""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from detectron2.config import LazyConfig as HostLazyConfig

from d2freq.engine.config import Config, YamlConfig
from d2freq.engine.weights.folder import newest_readable

__all__ = ["changed_keys", "tell_changed_keys"]

logger = logging.getLogger(__name__)

FILE = "config.yaml"  # that the host writes into the output folder
MOST = 10  # lines
NOT_SET = "not set"
PLACES = ("OUTPUT_DIR", "train.output_dir")  # a folder that was moved is the same training


class _Reader(yaml.SafeLoader):
    """YAML without code; what a lazy config has of Python is its text here."""


def _as_text(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):  # of a tuple
        return loader.construct_sequence(node, deep=True)
    return f"{suffix} {node.value}"


_Reader.add_multi_constructor("tag:yaml.org,2002:python/", _as_text)


def changed_keys(config: Config) -> list[str]:
    """Lines "KEY: old -> new" of the settings that differ from those in the output folder.

    [] where the folder has no config that can be read. A key that only a YAML config's other
    version of d2freq knows is left out.
    """
    try:
        before = _flat(yaml.load((Path(config.output_dir) / FILE).read_text("utf-8"), _Reader))
        now = _flat(yaml.load(_text(config), _Reader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    keys = [*now, *(key for key in before if key not in now)]
    if isinstance(config, YamlConfig):
        keys = [key for key in keys if key in before and key in now]
    return [
        f"{key}: {before.get(key, NOT_SET)} -> {now.get(key, NOT_SET)}"
        for key in keys
        if key not in PLACES and before.get(key, NOT_SET) != now.get(key, NOT_SET)
    ]


def tell_changed_keys(config: Config, changed: list[str]) -> None:
    """Warn of them, a line each, where there is a checkpoint to go on from."""
    if not changed or newest_readable(config.output_dir, quiet=True) is None:
        return
    count = "1 setting differs" if len(changed) == 1 else f"{len(changed)} settings differ"
    rest = [f"... and {len(changed) - MOST} more"] if len(changed) > MOST else []
    logger.warning(
        "--resume: %s from the training so far (%s):\n  %s",
        *(count, Path(config.output_dir) / FILE, "\n  ".join([*changed[:MOST], *rest])),
    )


def _text(config: Config) -> str:
    """The config as the host writes it."""
    if isinstance(config, YamlConfig):
        return config.cfg.dump()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, FILE)
        HostLazyConfig.save(config.cfg, path)
        return Path(path).read_text("utf-8")


def _flat(content: Any) -> dict[str, Any]:
    return dict(_leaves(content, "")) if isinstance(content, Mapping) else {}


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Each value with the names above it; an empty mapping is a value."""
    if isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list) and any(isinstance(each, Mapping) for each in node):
        for place, value in enumerate(node):  # calls, such as augmentations
            yield from _leaves(value, f"{key}.{place}")
    else:
        yield key, node
