"""``pip install -e .`` of a clone: Python finds the package from any folder, the one above, too."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIND = """
import importlib.util, site, sys
site.addsitedir(sys.argv[1])
for name in ("d2freq", "d2freq.data.coco", "minid2", "d2freq_command"):
    print(importlib.util.find_spec(name).origin)
"""


def run(*words: str, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """(a folder that is named d2freq, as git clones it, the site-packages that it is installed in).

    Setuptools makes the wheel of an editable install; pip unpacks it, as is done here.
    """
    root = tmp_path_factory.mktemp("projects") / "d2freq"
    root.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "d2freq_command.py"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    for package in ("d2freq", "minid2"):
        for file in (ROOT / package).rglob("*.py"):
            copy = root / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()  # to be found, not to be imported
    (root / "d2freq" / "__init__.py").write_text('__version__ = "9.9"\n')
    (root / "configs").mkdir()
    build = "import setuptools.build_meta as b, sys; print(b.build_editable(sys.argv[1]))"
    site = root.parent / "site-packages"
    site.mkdir()
    name = run("-c", build, str(site), folder=root, PYTHONPATH="").splitlines()[-1]
    with zipfile.ZipFile(site / name) as wheel:
        wheel.extractall(site)
    return root, site


@pytest.mark.parametrize("place", ["..", ".", "d2freq", "../site-packages"])
def test_the_package_is_found_wherever_python_runs(clone, place):
    """In the folder above, ``import d2freq`` used to give the clone's folder, without a content."""
    root, site = clone
    # without this environment's own .pth files, which may have an installed d2freq
    found = run("-S", "-c", FIND, str(site), folder=root / place, PYTHONPATH="").split()
    files = ("d2freq/__init__.py", "d2freq/data/coco/__init__.py", "minid2/__init__.py")
    assert [Path(path).resolve() for path in found] == [
        (root / name).resolve() for name in (*files, "d2freq_command.py")
    ]
