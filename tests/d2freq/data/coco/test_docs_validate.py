"""docs/validate.md names every kind of fault that is mended, and what validate prints at worst."""

import re
from pathlib import Path

import pytest

from d2freq.data.coco.mend_records import STAGES

TEXT = (Path(__file__).parents[4] / "docs/validate.md").read_text(encoding="utf-8")
SOURCES = Path(__file__).parents[4] / "d2freq/data/coco"
NAMED = re.compile(r'report\.(?:error|repair|note)\(\s*"([^"]+)"')


@pytest.mark.parametrize("kind", sorted({kind for stage in STAGES for kind in stage}))
def test_what_is_mended_is_documented(kind):
    assert kind in TEXT


def test_what_is_named_in_place_is_documented():
    kinds = {kind for file in SOURCES.glob("*.py") for kind in NAMED.findall(file.read_text())}
    assert len(kinds) > 5
    assert [kind for kind in sorted(kinds) if kind not in TEXT] == []
