"""YAML configs read with errors that name the file, the key and the nearest key that exists."""

import re
from typing import Any

from detectron2.config import CfgNode, get_cfg
from yaml.constructor import ConstructorError
from yaml.error import YAMLError

from d2freq.config import add_d2freq_config
from d2freq.data.catalog import register_coco
from d2freq.engine.config.device import present_device
from d2freq.engine.config.other_kind import named_otherwise
from d2freq.errors import UserError
from d2freq.utils.choices import did_you_mean
from d2freq.utils.notices import later

__all__ = ["load_yaml"]


def load_yaml(config_file: str, overrides: list[str] | None = None) -> CfgNode:
    """Detectron2's defaults, d2freq's keys, the file with its bases, then KEY VALUE overrides.

    Raises:
        UserError: an unknown key, a value of the wrong type, or a file that is not YAML.

    Registers the data sets of D2FREQ.DATASETS.
    """
    cfg = get_cfg()
    add_d2freq_config(cfg)
    known = _flat_keys(cfg)
    untyped = [key for key in known if _parent(cfg, key)[key.rsplit(".", 1)[-1]] is None]
    for source, merge in (
        (config_file, lambda: cfg.merge_from_file(config_file, allow_unsafe=False)),
        ("command line", lambda: _merge_words(cfg, _strip_equals(overrides or []), untyped)),
    ):
        try:
            merge()
        except (KeyError, AssertionError) as error:  # of files and of overrides
            raise UserError(f"{source}: {_nearest_key(str(error), known)}") from error
        except (ValueError, OSError) as error:
            raise UserError(f"{source}: {error}{_cure(str(error))}") from error
        except ConstructorError as error:  # of this file or of a _BASE_
            raise UserError(_refused_tag(error, source)) from error
        except YAMLError as error:
            raise UserError(f"{source}: not valid YAML: {error}") from error
    cfg.MODEL.DEVICE = present_device(cfg.MODEL.DEVICE, "MODEL.DEVICE", tell=later)
    _register_datasets(cfg.D2FREQ.DATASETS)
    return cfg


def _refused_tag(error: ConstructorError, source: str) -> str:
    """The message for a tag such as ``!!python/object/apply``, which runs code where it is read."""
    mark = error.problem_mark or error.context_mark
    place = f"{mark.name}, line {mark.line + 1}" if mark else source
    tag = str(error.problem).rpartition("tag:yaml.org,2002:")[2].strip("' ")
    what = f"!!{tag}" if tag.startswith("python/") else str(error.problem)
    return (
        f"{place}: {what} is refused, as it could run any code, and none was run: write plain "
        "numbers, texts and lists"
    )


def _register_datasets(entries: list) -> None:
    for entry in entries:
        if not (isinstance(entry, list | tuple) and len(entry) == 3):
            raise UserError(
                f"D2FREQ.DATASETS: {entry!r}: write a list of [name, COCO file, image folder]"
            )
        register_coco(*entry)


def _flat_keys(node: CfgNode, prefix: str = "") -> list[str]:
    keys = []
    for name, value in node.items():
        keys.append(prefix + name)
        if isinstance(value, CfgNode):
            keys.extend(_flat_keys(value, f"{prefix}{name}."))
    return keys


def _parent(cfg: CfgNode, key: str) -> CfgNode:
    """The node that holds a key, which may be under several others: A.B.KEY."""
    for name in key.split(".")[:-1]:
        cfg = cfg[name]
    return cfg


def _merge_words(cfg: CfgNode, words: list[str], untyped: list[str]) -> None:
    """Merge KEY VALUE pairs; keys that are None by default take any type, whatever a file has."""
    for key in set(words[::2]) & set(untyped):
        _parent(cfg, key)[key.rsplit(".", 1)[-1]] = None
    pairs = list(zip(words[::2], words[1::2], strict=True))
    cfg.merge_from_list([word for key, given in pairs for word in (key, _number(cfg, key, given))])


def _number(cfg: CfgNode, key: str, given: Any) -> Any:
    """A whole number, "50", as a key that takes fractions wants it: 50.0; others as they are."""
    found: Any = cfg
    for name in key.split("."):
        found = found.get(name) if isinstance(found, CfgNode) else None
    is_whole = re.fullmatch(r"[+-]?\d+", str(given).strip())
    return float(given) if type(found) is float and is_whole else given


def _nearest_key(message: str, known: list[str]) -> str:
    """The message of a failed merge, with the nearest key where one key is to blame."""
    message = message.strip("\"'")
    found = re.search(r"key:?\s+['\"]?([A-Za-z0-9_.]+)", message)
    if not found:
        return message
    culprit = found.group(1)
    # where the parent is misspelt or the leaf misplaced, any key with that leaf will do
    leaf = culprit.rsplit(".", 1)[-1]
    namesakes = [key for key in known if key.rsplit(".", 1)[-1] == leaf]
    cure = (
        named_otherwise(culprit, lazy=False)
        or did_you_mean(culprit, known)
        or did_you_mean(culprit, namesakes, cutoff=0)
    )
    return f"config key {culprit} does not exist{cure}"


def _cure(error: str) -> str:
    """What to write in place of a map, which no key here takes."""
    number = re.search(r"'float'> vs\. <class 'int'>\) with values \(.* vs\. (\d+)\)", error)
    if number:
        return f"; write {number[1]}.0"
    is_map = re.search(r"<class 'list'> vs\. <class '(dict|[\w.]*CfgNode)'>", error)
    return "; write pairs, as [[name, value]], in place of a map" if is_map else ""


def _strip_equals(overrides: list[str]) -> list[str]:
    """KEY VALUE pairs from ``KEY VALUE`` or ``KEY=VALUE`` words."""
    words: list[str] = []
    for word in overrides:
        if len(words) % 2 == 0 and word.startswith("--"):
            raise ValueError(f"{word} stands behind KEY VALUE: flags go before them")
        if len(words) % 2 == 0 and "=" in word:
            words.extend(word.split("=", 1))
        else:
            words.append(word)
    if len(words) % 2:
        raise ValueError(f"override {words[-1]} has no value: write KEY VALUE")
    return words
