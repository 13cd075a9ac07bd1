"""Every tutorial does what it says: its blocks run in order, with the settings on the page."""

from pathlib import Path

import pytest

from d2freq import HOST

from .pages import ROOT, run_page

TUTORIALS = sorted(set((ROOT / "docs/tutorials").glob("*.md")) - {ROOT / "docs/tutorials/index.md"})
# pages on the host itself; the commands of the others have tests of their own on both hosts
ON_BOTH_HOSTS = ("hs-fpn", "neck", "set")


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs(page: Path, page_folder):
    if HOST != "minid2" and page.stem not in ON_BOTH_HOSTS:
        pytest.skip(f"this page is run once, on minid2, not on {HOST}")
    assert run_page(page) >= 4
