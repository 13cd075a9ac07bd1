"""Tests in this folder compare minid2 with an installed Detectron2 and need both."""

import pytest

import d2freq


def pytest_collection_modifyitems(items):
    """Skip, with the reason, where d2freq runs on minid2 because Detectron2 is missing."""
    if d2freq.HOST == "detectron2":
        return
    skip = pytest.mark.skip(reason="host parity needs an installed Detectron2 beside minid2")
    for item in items:
        if "host_parity" in str(item.path):
            item.add_marker(skip)
