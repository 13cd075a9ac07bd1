"""Ground truth on which the files of other tools are read."""

import json

import pytest

from tests.d2freq.evaluation.results.written import FILES, NAMES


@pytest.fixture
def truth(tmp_path):
    """Ground truth whose ids are neither from 1 on nor in the order of names."""
    images = [
        dict(id=10 * n + 3, file_name=name, width=100 + 20 * n, height=80)
        for n, name in enumerate(FILES)
    ]
    box = dict(id=1, image_id=3, category_id=2, bbox=[1, 2, 3, 4], area=12, iscrowd=0)
    categories = [dict(id=k, name=name) for k, name in zip((2, 5, 4), NAMES, strict=True)]
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(dict(images=images, annotations=[box], categories=categories)))
    return path
