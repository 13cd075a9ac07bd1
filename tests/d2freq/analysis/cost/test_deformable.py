"""Multiply-adds of deformable convolutions: the kernel and the offsets, not the sampling."""

import pytest
import torch
from detectron2.layers import Conv2d
from torch.utils.flop_counter import FlopCounterMode

from d2freq.analysis.cost.count import measure_cost
from d2freq.analysis.cost.unmixing import EXTRA_COUNTS
from d2freq.engine.build import config_model
from d2freq.modeling.detectors.sac.switchable_conv import make_switchable

# of the 3 x 3 convolutions of a ResNet-50 at 800 pixels: channels, cells that come out, how many
STAGES = {3: (128, 100**2, 4), 4: (256, 50**2, 6), 5: (512, 25**2, 3)}


def test_detectors_at_800_pixels():
    """41.56 G in the place of 19.17 G for the plain ones."""
    model = config_model("configs/detectors/cascade_rcnn_R50_SAC_FPN_aitod.yaml", device="meta")
    macs = measure_cost(model).macs
    found = wanted = 0
    for stage, (channels, cells, blocks) in STAGES.items():
        start = f"backbone.bottom_up.res{stage}."
        found += sum(n for name, n in macs.items() if name.startswith(start) and ".conv2" in name)
        kernels = 2 * 9 * channels**2 + 2 * 9 * 18 * channels  # both reaches, and their offsets
        contexts = 2 * channels**2  # before and behind, of the mean alone
        wanted += blocks * (cells * (kernels + channels) + contexts)
    assert found == wanted
    assert found / 1e9 == pytest.approx(41.56, abs=0.01)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_cpus_way_of_sampling_counts_the_same(stride):
    counts = []
    for device in ("meta", "cpu"):
        with torch.device(device), torch.no_grad():
            layer = make_switchable(Conv2d(4, 4, 3, stride=stride, padding=1, bias=False))
            x = torch.zeros(1, 4, 8, 10)
            with FlopCounterMode(display=False, custom_mapping=EXTRA_COUNTS) as counter:
                layer(x)
        counts.append(counter.get_total_flops() // 2)
    cells = 80 // stride**2
    assert counts == [cells * (2 * 9 * 16 + 2 * 9 * 18 * 4 + 4) + 2 * 16] * 2
