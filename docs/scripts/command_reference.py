"""The reference of the commands, from the parsers that read the command lines.

Each option has the words of its ``--help``, and a command without subcommands its usage.
"""

import argparse
from collections.abc import Iterator

import d2freq  # noqa: F401  chooses the host before anything of detectron2 is imported

# isort: split
from d2freq.cli import build_parser

__all__ = ["leaves", "page"]


def leaves(parser: argparse.ArgumentParser | None = None) -> Iterator[argparse.ArgumentParser]:
    """The parser of each command that does something, such as ``d2freq generate scenes``."""
    parser = parser or build_parser()
    below = _subcommands(parser)
    if not below:
        yield parser
    for each in below.values():
        yield from leaves(each)


def page() -> str:
    """Markdown of all commands."""
    lines = [
        "# Commands",
        "",
        "Every command and option, from the parsers themselves. `d2freq COMMAND --help` prints the "
        "same in a terminal. Bad input ends with one line on standard error and exit code 2.",
        "",
    ]
    for name, command in _subcommands(build_parser()).items():
        lines += [f"## d2freq {name}", ""]
        below = _subcommands(command)
        if below:
            lines += [_sentence(command.description), ""]
        for parser in leaves(command):
            if parser is not command:
                lines += [f"### {parser.prog}", ""]
            lines += _described(parser)
    return "\n".join(lines)


def _described(parser: argparse.ArgumentParser) -> list[str]:
    usage = " ".join(parser.format_usage().removeprefix("usage:").split())
    lines = [_sentence(parser.description), "", f"`{usage}`", ""]
    for group in parser._action_groups:
        shown = [a for a in group._group_actions if a.help not in (None, argparse.SUPPRESS)]
        shown = [action for action in shown if action.dest != "help"]
        if not shown:
            continue
        if group.title not in ("positional arguments", "options"):
            lines += [f"**{_sentence(group.title).removesuffix('.')}**", ""]
        formatter = parser.formatter_class(prog=parser.prog)
        lines += [f"- {_option(action)}: {_help(formatter, action)}" for action in shown]
        lines.append("")
    return lines


def _option(action: argparse.Action) -> str:
    """`--tile W H`, `-h, --help`, `SOURCE`."""
    words = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    value = " ".join(words) if isinstance(words, tuple) else str(words)
    if action.choices and not action.metavar:
        value = "|".join(map(str, action.choices))
    if not action.option_strings:
        return f"`{value}`"
    names = ", ".join(action.option_strings)
    return f"`{names}`" if action.nargs == 0 else f"`{names} {value}`"


def _help(formatter: argparse.HelpFormatter, action: argparse.Action) -> str:
    text = " ".join(formatter._expand_help(action).split())
    return _escaped(text)


def _sentence(text: str | None) -> str:
    text = _escaped(" ".join((text or "").split()))
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) else ".")


def _escaped(text: str) -> str:
    for sign in "\\*_":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;")


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
