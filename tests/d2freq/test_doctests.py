"""The examples in the docstrings of d2freq run as they stand there, each from an empty page."""

import doctest
import importlib
from pathlib import Path

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

import d2freq
from d2freq.evaluation import PROTOCOLS

ROOT = Path(d2freq.__file__).parent


def modules_with_examples() -> list[str]:
    """Found by their text: a module without examples need not be imported for this."""
    files = [path for path in sorted(ROOT.rglob("*.py")) if ">>> " in path.read_text("utf-8")]
    names = [file.relative_to(ROOT.parent).with_suffix("").parts for file in files]
    return [".".join(parts).removesuffix(".__init__") for parts in names]


def examples() -> list:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = []
    for name in modules_with_examples():
        # globs: an example imports what it uses, as whoever copies it has to
        tests = finder.find(importlib.import_module(name), name, globs={})
        found += [pytest.param(test, id=test.name) for test in tests if test.examples]
    return found


EXAMPLES = examples()


@pytest.fixture
def unchanged_catalogs(monkeypatch):
    """What an example registers is forgotten after it."""
    protocols, datasets = dict(PROTOCOLS), set(DatasetCatalog.list())
    yield
    for name in set(PROTOCOLS) - set(protocols):
        del PROTOCOLS[name]
    for name in set(DatasetCatalog.list()) - datasets:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_public_things_have_examples():
    assert len(EXAMPLES) >= 60


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example, unchanged_catalogs):
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failed, tried = runner.run(example, out=report.append)
    assert tried and not failed, "\n".join(report)
