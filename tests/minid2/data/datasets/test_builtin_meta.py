"""The classes of COCO."""

import pytest

from minid2.data.datasets.builtin_meta import _get_builtin_metadata, _get_coco_instances_meta


def test_names_and_ids_of_coco():
    meta = _get_coco_instances_meta()
    names, ids = meta["thing_classes"], meta["thing_dataset_id_to_contiguous_id"]
    assert len(names) == len(set(names)) == len(ids) == 80
    by_id = {number: names[index] for number, index in ids.items()}
    assert (by_id[1], by_id[13], by_id[67], by_id[90]) == (
        *("person", "stop sign", "dining table", "toothbrush"),
    )
    assert _get_builtin_metadata("coco") == meta
    with pytest.raises(KeyError, match="cityscapes"):
        _get_builtin_metadata("cityscapes")
