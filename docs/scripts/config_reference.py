"""The reference of d2freq's configuration keys, from the one place where each is written.

A key is written where its default is: ``node.KEY = value`` in a function of a config.py, below a
comment that says what it does, or a field of a :class:`SwitchSet` with its meaning. Here these
functions are read, not run; defaults and types come from the config that they make. Keys that
follow each other without a comment in between share the one above them.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, get_args

import d2freq  # noqa: F401  chooses the host before anything of detectron2 is imported

# isort: split
from detectron2.config import CfgNode, get_cfg

from d2freq import config as keys_of_d2freq
from d2freq.modeling.switches import SwitchSet
from d2freq.trainer_config import YAML_ALONE, host_node_keys, lazy_name

__all__ = ["Entry", "Section", "added_keys", "page", "sections"]


@dataclass(frozen=True)
class Entry:
    """A key, or several that share what is said of them.

    Attributes:
        names: such as ("MODEL.SET.RHO",).
        meaning: Markdown.
        kind: the type in words, where the default is None and does not show it.
    """

    names: tuple[str, ...]
    meaning: str
    kind: str = ""


@dataclass(frozen=True)
class Section:
    """A node of the config: its path, what its function says of it, and its keys."""

    path: str
    about: str
    entries: tuple[Entry, ...]


def sections() -> list[Section]:
    """Every section that add_d2freq_config adds to, in the order in which it does."""
    functions = (keys_of_d2freq.own_nodes, keys_of_d2freq.shared_nodes)
    return [section for function in functions for section in _read(function, "")]


def added_keys() -> dict[str, Any]:
    """Full name -> default of every key that add_d2freq_config adds to the host's config."""
    before, after = get_cfg(), get_cfg()
    keys_of_d2freq.add_d2freq_config(after)
    known = set(_leaves(before))
    return {name: value for name, value in _leaves(after).items() if name not in known}


def page(title: str, about: str, chosen: list[Section]) -> str:
    """Markdown of some sections."""
    defaults = added_keys()
    lines = [f"# {title}", "", about, ""]
    for section in chosen:
        lines += [f"## {section.path}", "", section.about, ""]
        for entry in section.entries:
            for name in entry.names:
                lines += [f"### {name}", "", _facts(name, defaults[name], entry.kind), ""]
                if name == entry.names[-1]:
                    lines += [entry.meaning, ""]
            if len(entry.names) > 1:
                lines += [f"*(Said of {_listed(entry.names)} together.)*", ""]
    return "\n".join(lines)


def _facts(name: str, default: Any, kind: str) -> str:
    """A line about type, default and lazy name."""
    facts = [f"type: {kind or _type_of(default)}", f"default: `{default!r}`"]
    first, _, rest = name.partition(".")
    if first == "D2FREQ" or first in host_node_keys():
        own = rest if first == "D2FREQ" else name
        if own.lower() not in YAML_ALONE:
            facts.append(f"lazy: `train.{lazy_name(own)}`")
    return " · ".join(facts)


def _type_of(default: Any) -> str:
    if default is None:
        return "`None`, or what is said below"
    return f"`{type(default).__name__}`"


def _listed(names: tuple[str, ...]) -> str:
    short = [f"`{name.rpartition('.')[2]}`" for name in names]
    return f"{', '.join(short[:-1])} and {short[-1]}"


# --- reading the functions that write keys -------------------------------------------------------


def _named(module: Any, call: ast.expr) -> Callable:
    """The function of a call such as f(), or Switches.keys."""
    assert isinstance(call, ast.Call), ast.unparse(call)
    found: Any = module
    for part in ast.unparse(call.func).split("."):
        found = getattr(found, part)
    return found


def _read(function: Callable, path: str) -> list[Section]:
    """The section that a function makes, and those inside it."""
    switches = getattr(function, "__self__", None)
    if inspect.isclass(switches) and issubclass(switches, SwitchSet):
        return [Section(path, "", tuple(_switches(switches, path)))]
    module = inspect.getmodule(function)
    tree, comments = _tree(function), _comments(function)
    own: list[Entry] = []
    inside: list[Section] = []
    for statement in tree.body:
        if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Dict):
            inside += _of_dict(statement.value, tree, module, path)
        elif isinstance(statement, ast.Return) and isinstance(statement.value, ast.Call):
            own += _read(_named(module, statement.value), path)[0].entries
        elif isinstance(statement, ast.Assign):
            target = ast.unparse(statement.targets[0])
            said = comments.get(statement.lineno, "")
            if target == "node" and ast.unparse(statement.value) != "CN()":
                made = _named(module, statement.value)
                # of switches, or keys that several nodes have
                read = hasattr(made, "__self__") or inspect.isfunction(made)
                own += _read(made, path)[0].entries if read else ()
            elif "." in target:
                name = f"{path}.{target.partition('.')[2]}"
                if not _makes_node(statement.value, module):
                    _join(own, name, said)
                elif ast.unparse(statement.value) != "CN()":  # whose keys have longer targets
                    inside += _read(_named(module, statement.value), name)
    about = _in_markdown(inspect.getdoc(function) or "")
    if isinstance(tree.body[-1], ast.Return) and isinstance(tree.body[-1].value, ast.Dict):
        return inside  # the function of several nodes is none itself
    nested = {name for section in inside for entry in section.entries for name in entry.names}
    assert not nested & {name for entry in own for name in entry.names}
    return [Section(path, about, tuple(own)), *inside]


def _makes_node(value: ast.expr, module: Any) -> bool:
    """Whether a value is CN() or the node of a function of the module; list(...) is neither."""
    if not isinstance(value, ast.Call):
        return False
    return hasattr(module, ast.unparse(value.func).partition(".")[0])


def _of_dict(value: ast.Dict, tree: ast.FunctionDef, module: Any, path: str) -> list[Section]:
    """Sections of ``return {"NAME": _function()}`` and of ``{"NAME": variable}``."""
    found = []
    for key, made in zip(value.keys, value.values, strict=True):
        if key is None:  # **f(), or **{f"NODE.{name}": keys for name, keys in f().items()}
            found += _of_several(made, module, path)
            continue
        name = ".".join(filter(None, (path, ast.literal_eval(key))))
        if isinstance(made, ast.Call):
            found += _read(_named(module, made), name)
            continue
        own: list[Entry] = []
        function = getattr(module, tree.name)
        comments = _comments(function)
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                variable, _, rest = ast.unparse(statement.targets[0]).partition(".")
                if variable == ast.unparse(made) and rest:
                    _join(own, f"{name}.{rest}", comments.get(statement.lineno, ""))
        found.append(Section(name, _in_markdown(inspect.getdoc(function) or ""), tuple(own)))
    return found


def _of_several(made: ast.expr, module: Any, path: str) -> list[Section]:
    if isinstance(made, ast.DictComp):
        assert isinstance(made.key, ast.JoinedStr)
        constants = [part.value for part in made.key.values if isinstance(part, ast.Constant)]
        node = "".join(map(str, constants)).removesuffix(".")
        items = made.generators[0].iter
        assert isinstance(items, ast.Call) and isinstance(items.func, ast.Attribute)
        return _read(_named(module, items.func.value), ".".join(filter(None, (path, node))))
    return _read(_named(module, made), path)


def _join(entries: list[Entry], name: str, said: str) -> None:
    """Add a key; without a comment of its own it shares that of the key above."""
    if said or not entries:
        entries.append(Entry((name,), said))
    else:
        last = entries.pop()
        entries.append(Entry((*last.names, name), last.meaning))


def _switches(switches: type[SwitchSet], path: str) -> Iterator[Entry]:
    presets = switches.presets()
    names = " or ".join(f'`"{name}"`' for name in presets)
    yield Entry(
        (f"{path}.PRESET",),
        f"{names}: the values that the switches below take where they are `None`.",
    )
    for each, row in zip(fields(switches), switches.table().splitlines()[2:], strict=True):
        _, _, _, values, *chosen = (cell.strip() for cell in row.split("|")[:-1])
        by_preset = "; ".join(
            f'preset `"{preset}"`: {value}' for preset, value in zip(presets, chosen, strict=True)
        )
        several = bool(get_args(each.type))
        kind = f"`{(get_args(each.type) or (each.type,))[0].__name__}`"
        kind = f"{kind}, or a list of one a level" if several else kind
        yield Entry(
            (f"{path}.{each.name.upper()}",),
            f"{_in_markdown(each.metadata['meaning'])}\n\n"
            f"Values: {values}. `None` takes the preset's: {by_preset}.",
            kind,
        )


def _tree(function: Callable) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


def _comments(function: Callable) -> dict[int, str]:
    """Line of a statement -> the comment directly above it, by the lines of ``_tree``."""
    found: dict[int, str] = {}
    block: list[str] = []
    for number, line in enumerate(inspect.getsource(function).splitlines(), start=1):
        text = line.strip()
        if text.startswith("# ---"):
            block = []
        elif text.startswith("#"):
            block.append(text.removeprefix("#").strip())
        elif text:
            if block:
                found[number] = _in_markdown(" ".join(block))
            block = []
    return found


def _in_markdown(text: str) -> str:
    """A comment or docstring: code between double quotes and tildes stays, roles and tags go."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    text = text.replace("``", "`")
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([*_])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "".join(parts).strip()


def _leaves(node: CfgNode, path: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in node.items():
        name = f"{path}{key}"
        leaves |= _leaves(value, f"{name}.") if isinstance(value, CfgNode) else {name: value}
    return leaves
