"""Protocols: those of the benchmarks, one's own by call or by YAML file, and refused ones."""

import dataclasses

import pytest

from d2freq.errors import UserError
from d2freq.evaluation import PROTOCOLS, AreaRange, Protocol, get_protocol, register
from d2freq.evaluation.coco.guard import guard_ground_truth
from d2freq.evaluation.protocols import COCO_THRESHOLDS, TargetRule

from ...coco_cases import coco

MINE = """
name: seagulls
source: our paper, Section 4
areas: {tiny: [0, 256], small: [256, 1e3]}
max_dets: [100, 500]
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text: str, name: str = "mine.yaml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return to_file


def test_a_protocol_file_is_as_good_as_a_name(write):
    path = write(MINE)
    expected = Protocol(
        name="seagulls",
        source="our paper, Section 4",
        areas=(AreaRange("tiny", 0.0, 256.0), AreaRange("small", 256.0, 1000.0)),
        max_dets=(100, 500),
    )
    assert get_protocol(path) == expected
    assert get_protocol(path).iou_thresholds == COCO_THRESHOLDS
    assert "seagulls" not in PROTOCOLS


def test_every_field_can_be_written(write):
    path = write(
        MINE + "iou_thresholds: [0.25, 0.5]\nwhole: [1, 1e10]\nap_limit: 100\nrecall_points: 11\n"
        "ignore: left out\nignore_keys: [ignore, uncertain]\nexcuse: ignored\nregion_share: 0.5\n"
        "limit_per: image\nrecall_of: counted and flagged\nmean_over: images\n"
        "region_keys: [other_objects]\nregion_rule: pixels\n"
        "olrp: false\ntargets: {score: 0.4, distance: 2}\n",
        "all.yml",
    )
    protocol = get_protocol(path)
    expected = {
        "iou_thresholds": (0.25, 0.5),
        "whole": AreaRange("all", 1.0, 1e10),
        "ap_limit": 100,
        "recall_points": 11,
        "ignore": "left out",
        "ignore_keys": ("ignore", "uncertain"),
        "excuse": "ignored",
        "limit_per": "image",
        "recall_of": "counted and flagged",
        "mean_over": "images",
        "region_share": 0.5,
        "region_keys": ("other_objects",),
        "region_rule": "pixels",
        "olrp": False,
        "targets": TargetRule(score=0.4, distance=2.0),
    }
    assert {key: getattr(protocol, key) for key in expected} == expected
    named = {"name", "source", "areas", "max_dets", *expected}
    assert named == {field.name for field in dataclasses.fields(Protocol)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("max_dets: [100, 500]", ""), r"missing key max_dets; known keys: name, source"),
        (("max_dets", "maxdets"), r"unknown key maxdets; known keys: name"),
        (("[100, 500]", "[500, 100]"), r"max_dets must rise.*\(500, 100\)"),
        (("[100, 500]", "[0, 100]"), "max_dets must rise from 1"),
        (("[100, 500]", "100"), r"max_dets must be a list such as \[100, 500\], but is 100"),
        (("[100, 500]", "[100.5]"), "max_dets must be a list"),
        (("[100, 500]", "[]"), "max_dets must rise"),
        (("[0, 256]", "[0]"), "areas must be a mapping such as"),
        (("[0, 256]", "[0, big]"), "areas must be a mapping such as"),
        (("[0, 256]", "[256, 256]"), "areas each needs 0 <= low < high"),
        (("tiny:", "all:"), "areas labels repeat or hold 'all'"),
        (("{tiny: [0, 256], small: [256, 1e3]}", "[0, 256]"), "areas must be a mapping"),
        (("name: seagulls", "name: 7"), "name must be a name, but is 7"),
        (("source:", "olrp: yes please\nsource:"), "olrp must be true or false"),
        (("source:", "iou_thresholds: [0.6, 0.7]\nolrp: true\nsource:"), "olrp needs 0.5"),
        (("source:", "iou_thresholds: [0.5, 1.5]\nsource:"), "iou_thresholds must rise within"),
        (("source:", "ap_limit: 300\nsource:"), r"ap_limit must be one of \(100, 500\)"),
        (("source:", "ignore: never\nsource:"), "ignore must be one of"),
        (("source:", "excuse: all\nsource:"), "excuse must be one of"),
        (("source:", "ignore_keys: ignore\nsource:"), "ignore_keys must be a list such as"),
        (("source:", "limit_per: box\nsource:"), "limit_per must be one of"),
        (("source:", "recall_of: all\nsource:"), "recall_of must be one of"),
        (("source:", "region_keys: [others]\nsource:"), "region_keys must be of"),
        (("source:", "mean_over: images\nolrp: true\nsource:"), "olrp is of counted boxes"),
        (("source:", "targets: {score: 2}\nsource:"), "targets needs a score"),
        (("source:", "targets: {pixels: 2}\nsource:"), "targets must be a mapping such as"),
        (("source:", "region_share: 0\nsource:"), "region_share must be in"),
        (("source:", "recall_points: 1\nsource:"), "recall_points must be 2"),
        (("source:", "whole: [1]\nsource:"), "whole must be a pair"),
        (("source:", "name: again\nsource:"), "no valid YAML.*duplicate key"),
        (("{tiny", "{{tiny"), "no valid YAML"),
        ((MINE, "- 1\n- 2\n"), "a protocol is a mapping"),
    ],
)
def test_a_faulty_file_is_refused_by_file_key_and_cure(write, change, message):
    path = write(MINE.replace(*change))
    with pytest.raises(UserError, match=rf"(?s)mine\.yaml: .*{message}"):
        get_protocol(path)


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: the protocol cannot be read \(No such file"):
        get_protocol(str(tmp_path / "none.yaml"))
    with pytest.raises(
        UserError, match="no evaluation protocol 'visdrones'; did you mean visdrone"
    ):
        get_protocol("visdrones")


def test_a_name_is_registered_once():
    mine = Protocol(name="mine", source="us", areas=(AreaRange("t", 0, 256),), max_dets=(100,))
    try:
        assert get_protocol(register(mine).name) is mine
        with pytest.raises(UserError, match="'mine' is registered already"):
            register(mine)
    finally:
        PROTOCOLS.pop("mine", None)


@pytest.mark.parametrize(
    ("name", "counted", "crowds"),
    [("aitod", 2, 1), ("visdrone", 1, 2), ("coco", 2, 1), ("soda-d", 1, 0)],
)
def test_flags_are_read_as_the_protocol_says(name, counted, crowds):
    """One plain box, one with iscrowd, one with ignore."""
    flags = [{}, {"iscrowd": 1}, {"ignore": 1}]
    content = coco(dict(bbox=[20 * n, 5, 9, 9], **flag) for n, flag in enumerate(flags, start=1))
    truth = guard_ground_truth(content, get_protocol(name), "flags")
    assert (int((~truth.crowd).sum()), int(truth.crowd.sum())) == (counted, crowds)
    left_out = {fault.kind: fault.count for fault in truth.report.repairs}.get("ignored box", 0)
    assert left_out == 3 - counted - crowds
