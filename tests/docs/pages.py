"""Runs what a page of the docs says: its blocks in order, in this process, in a folder.

A block of ``python`` runs in the names of the blocks before it. In a block of ``bash`` each line is
a command: ``d2freq ...`` and ``python FILE ...`` run in this process, so that nobody waits for
torch, ``export NAME=VALUE`` holds from there on, and a line "# exit code 2" says how the next
command ends. A block whose first line is a
comment with a file's name (``# boats.yaml``, ``# my_neck.py``) is written to that file. Blocks of
other languages (``console``, ``text``) are for the eye alone.
"""

import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from d2freq import cli

__all__ = ["Block", "blocks_of", "run_page"]

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.(?:py|yaml|json|txt))\n")
_CODE = re.compile(r"# exit code (\d+)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page on which it begins."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that it is, by its first line."""
        found = _FILE.match(self.text)
        return found.group(1) if found else None


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page's text."""
    return [
        Block(match.group(1), match.group(2), page.count("\n", 0, match.start()) + 1)
        for match in _FENCE.finditer(page)
    ]


def run_page(page: Path) -> int:
    """Run a page in the working directory; returns how many blocks and commands ran.

    Raises:
        AssertionError: a command ended otherwise than the page says.
    """
    names: dict = {"__name__": "__main__"}
    ran = 0
    for block in blocks_of(page.read_text("utf-8")):
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            place = "\n" * block.line + block.text  # so that an error names the page's own line
            exec(compile(place, str(page), "exec"), names)
            ran += 1
        elif block.language == "bash":
            for words, expected in commands_of(block.text):
                code = _run(words)
                assert code == expected, f"{page.name}: {shlex.join(words)} ended with {code}"
                ran += 1
    return ran


def commands_of(text: str) -> Iterator[tuple[list[str], int]]:
    """The commands of a bash block with their exit codes."""
    expected = 0
    for line in text.replace("\\\n", " ").splitlines():
        said = _CODE.match(line)
        words = shlex.split(line, comments=True)
        if said:
            expected = int(said.group(1))
        elif words:
            yield words, expected
            expected = 0


def _run(words: list[str]) -> int:
    words = [os.path.expandvars(word) for word in words]
    command, *rest = words
    if command == "d2freq":
        return cli.main(rest)
    if command == "python" and rest[0] == "train_net.py":
        return cli.main(["train", *rest[1:]])
    if command == "export":
        return _export(*rest)
    if command == "python":
        return _run_file(*rest)
    raise AssertionError(f"the page runs {shlex.join(words)}, which tests/docs/pages.py cannot")


def _export(setting: str) -> int:
    name, _, value = setting.partition("=")
    os.environ[name] = value
    if name == "PYTHONPATH":
        sys.path.insert(0, value)
    return 0


def _run_file(file: str, *arguments: str) -> int:
    before = sys.argv
    sys.argv = [file, *arguments]
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0
