"""Each test that docs/promises.md and the fault matrix name exists."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
NAMED = re.findall(r"^\| .* \| `(tests/[^`]+)` \|$", TABLE, re.MULTILINE)


def injections() -> list[str]:
    """The tests of benchmarks/faults.py."""
    file = ROOT / "benchmarks" / "faults.py"
    found = importlib.util.spec_from_file_location("faults", file)
    module = importlib.util.module_from_spec(found)
    sys.modules["faults"] = module  # a dataclass looks itself up
    found.loader.exec_module(module)
    assert [row.number for row in module.ROWS] == list(range(1, 21))
    return [test for row in module.ROWS for test in row.tests]


def test_every_promise_has_a_test():
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")]
    assert len(NAMED) == len(rows) - 1 >= 25  # less the heading


@pytest.mark.parametrize("name", NAMED)
def test_the_test_exists(name):
    assert_there(name)


def test_the_injections_exist():
    for name in injections():
        assert_there(name)


def assert_there(name: str) -> None:
    place, _, function = name.partition("::")
    path = ROOT / place
    assert path.exists(), name
    if function:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
