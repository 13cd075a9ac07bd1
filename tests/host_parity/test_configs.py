"""Our configs on both hosts: one process a host, equal keys, weights, losses and detections."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from ..process import ROOT, output_of_python

NAMES = [
    "hs_fpn/faster_rcnn_R18_FPN_kit_ais",
    "hs_fpn/faster_rcnn_R18_HSFPN_kit_ais",
    "hs_fpn/faster_rcnn_R50_FPN_scenes",
    "hs_fpn/faster_rcnn_R50_HSFPN_scenes",
    "_base_/fcos_R50_FPN",
    "set/fcos_R18_FPN_kit_ais",
    "set/fcos_R18_FPN_SET_kit_ais",
    "_base_/cascade_rcnn_R50_FPN",  # of 80 classes: with 8, untrained scores tie in their last bit
    "_base_/mask_rcnn_R50_FPN",
    "frequency_input/mask_rcnn_R18_DCT_FPN_scenes",
    "hs_fpn/faster_rcnn_MobileNetV2_FPN_aitod",
    "hs_fpn/faster_rcnn_R50_FPN_RFLA_aitod",
    "hs_fpn/retinanet_R50_FPN_aitod",
]

# One of each family in the other direction, where files are read by the same code: a probe takes
# seconds per config.
BACK = [
    "hs_fpn/faster_rcnn_R18_HSFPN_kit_ais",
    "set/fcos_R18_FPN_SET_kit_ais",
    "frequency_input/mask_rcnn_R18_DCT_FPN_scenes",
    "hs_fpn/retinanet_R50_FPN_aitod",
]


def run_probe(host: str, out: Path, *arguments: str, names: Sequence[str] = NAMES) -> dict:
    probe = ROOT / "tests/host_parity/probe.py"
    output_of_python(probe, out, "--configs", *names, *arguments, D2FREQ_HOST=host)
    return torch.load(out / "report.pt", weights_only=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {host: tmp_path_factory.mktemp(host) for host in ("detectron2", "minid2", "back")}


@pytest.fixture(scope="module")
def reports(folders):
    """Detectron2 saves checkpoints, minid2 loads them."""
    real = run_probe("detectron2", folders["detectron2"])
    ours = run_probe("minid2", folders["minid2"], "--weights", str(folders["detectron2"]))
    return real, ours


def assert_equal_outcome(real: dict, ours: dict, tolerance: float = 1e-5) -> None:
    assert real["losses"].keys() == ours["losses"].keys()
    for key, value in real["losses"].items():
        torch.testing.assert_close(ours["losses"][key], value, rtol=tolerance, atol=tolerance)
    assert real["gradients"].keys() == ours["gradients"].keys()
    for key, value in real["gradients"].items():
        torch.testing.assert_close(ours["gradients"][key], value, rtol=1e-3, atol=tolerance)
    for theirs, mine in zip(real["detections"], ours["detections"], strict=True):
        assert theirs["image_size"] == mine["image_size"]
        assert len(theirs["scores"]) > 0
        torch.testing.assert_close(mine["boxes"], theirs["boxes"], rtol=tolerance, atol=1e-3)
        torch.testing.assert_close(mine["scores"], theirs["scores"], rtol=0, atol=tolerance)
        assert torch.equal(mine["classes"], theirs["classes"])
        if theirs["masks"] is not None:
            assert theirs["masks"].any() and torch.equal(mine["masks"], theirs["masks"])


@pytest.mark.parametrize("name", NAMES)
def test_same_state_dict_from_the_same_seed(reports, name):
    real, ours = (report[name] for report in reports)
    assert list(real["initial"]) == list(ours["initial"])
    assert real["initial"] == ours["initial"]
    assert real["frozen"] == ours["frozen"]


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_of_detectron2_gives_the_same_losses_and_detections(reports, name):
    assert_equal_outcome(*(report[name] for report in reports))


@pytest.fixture(scope="module")
def report_back(folders, reports):
    """minid2 saves checkpoints of its own, Detectron2 loads them."""
    ours = run_probe("minid2", folders["back"], names=BACK)
    saved = ("--weights", str(folders["back"]))
    real = run_probe("detectron2", folders["back"] / "real", *saved, names=BACK)
    return real, ours


@pytest.mark.parametrize("name", BACK)
def test_a_checkpoint_of_minid2_gives_the_same_losses_and_detections(report_back, name):
    assert_equal_outcome(*(report[name] for report in report_back))


@pytest.mark.parametrize("name", NAMES)
def test_dumped_lazy_configs_are_equal_and_name_detectron2(folders, reports, name):
    file = f"{name.replace('/', '_')}.yaml"
    real = (folders["detectron2"] / file).read_text()
    ours = (folders["minid2"] / file).read_text()
    assert "minid2" not in ours
    assert re.search(r"_target_: detectron2\.", ours)
    assert ours == real
