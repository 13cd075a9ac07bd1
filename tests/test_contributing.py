"""CONTRIBUTING.md names paths and make targets that exist; every file tells one version."""

import re
from pathlib import Path

import d2freq

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TOP = "d2freq|minid2|tests|configs|benchmarks|datasets"
FILES = r"\.ci/run|(?:README|CHANGELOG|CITATION|pyproject|setup|train_net)\.\w+"
PATH = re.compile(rf"(?<![\w./~])((?:{TOP})/[\w./-]*|{FILES})")
PLACEHOLDERS = ("my_", "test_my_")  # what a contributor is to write


def paths() -> set[str]:
    found = {path.rstrip("./") for path in PATH.findall(TEXT)}
    return {path for path in found if not any(f"/{p}" in f"/{path}" for p in PLACEHOLDERS)}


def test_every_path_exists():
    assert len(paths()) > 60
    missing = [path for path in sorted(paths()) if not (ROOT / path).exists()]
    assert not missing, f"CONTRIBUTING.md names {missing}"


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", TEXT))
    assert {"setup", "test", "parity", "lint"} <= named <= targets
    variables = set(re.findall(r"\bmake [a-z]+ ([A-Z]+)=|\b([A-Z]+)=\S+ make\b", TEXT))
    for variable in filter(None, sum(variables, ())):
        assert re.search(rf"^{variable} +\?=", makefile, re.MULTILINE), variable


def test_one_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)", citation, re.MULTILINE)[1] == d2freq.__version__
    assert re.search(r"^## \[(\S+)\]", changes, re.MULTILINE)[1] == d2freq.__version__
