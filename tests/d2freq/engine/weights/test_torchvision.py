"""Weights of torchvision's ResNets load into a detector, on either host."""

import pytest
import torch
from torchvision import models

from d2freq.engine import StrictCheckpointer
from d2freq.engine.build import config_model
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer

CONFIGS = {
    18: "configs/demo/faster_rcnn_R18_HSFPN_scenes.yaml",
    50: "configs/hs_fpn/faster_rcnn_R50_FPN_aitod.yaml",
}


@pytest.mark.parametrize("kind", [StrictCheckpointer, TorchvisionCheckpointer])
@pytest.mark.parametrize("depth", CONFIGS)
def test_the_detectors_resnet_computes_what_torchvisions_does(depth, kind, tmp_path):
    network = getattr(models, f"resnet{depth}")().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # so that a norm left out would show
            torch.nn.init.uniform_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    torch.save(network.state_dict(), tmp_path / f"resnet{depth}.pth")
    model = config_model(CONFIGS[depth])
    kind(model).load(str(tmp_path / f"resnet{depth}.pth"))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        ours = model.backbone.bottom_up(image)["res5"]
        theirs = network.conv1(image)
        for layer in list(network.children())[1:-2]:
            theirs = layer(theirs)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())
