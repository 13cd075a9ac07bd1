"""d2freq analyze gate: what a gate with planted weights chooses, its maps and its config."""

import json

import numpy as np
import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import build_model

from d2freq.analysis.frequency_input.gate import best_channels
from d2freq.analysis.frequency_input.gate_plot import raster_maps
from d2freq.cli import main
from d2freq.engine import load_yaml
from d2freq.engine.build import config_model
from d2freq.modeling.frequency_input import ChannelGate, DCTStem
from d2freq.modeling.frequency_input.build_stem import build_stem

DCT = "configs/frequency_input/faster_rcnn_R18_DCT_FPN_kit_ais.yaml"
SMALL = ["MODEL.FPN.OUT_CHANNELS", "32", "MODEL.ROI_BOX_HEAD.FC_DIM", "16"]
GATED = [*SMALL, "MODEL.META_ARCHITECTURE", "Gated", "MODEL.FREQ_INPUT.GATE.ENABLED", "True"]
GATED += ["MODEL.FREQ_INPUT.CHANNELS", "64"]
CHOSEN = [0, 3, 16, 64, 130]  # numbers of channels of the published 64


def run(config, name, output, *words, overrides=GATED):
    common = ["--config-file", config, "--dataset", name, "--output", str(output)]
    return main(["analyze", "gate", *common, *words, *overrides])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint whose gate has the chosen channels on in every image, the others off."""
    model = config_model(DCT, GATED)
    (gate,) = (module for module in model.modules() if isinstance(module, ChannelGate))
    on = torch.tensor([number in CHOSEN for number in DCTStem(channels="64").channels])
    with torch.no_grad():
        gate.decision.weight.zero_()
        gate.decision.bias.view(64, 2)[:, 0] = 0.0
        gate.decision.bias.view(64, 2)[:, 1] = torch.where(on, 1.0, -1.0)
    file = tmp_path_factory.mktemp("gate") / "gate.pth"
    torch.save({"model": model.state_dict()}, file)
    return str(file)


def test_planted_choice_becomes_maps_numbers_and_a_config(tiny_data, weights, tmp_path):
    output, name = tmp_path / "new" / "gate.png", tiny_data(1)
    words = ["--weights", weights, "--top", "5", "--count", "2"]
    assert run(DCT, name, output, *words) == 0
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["topic"] == "gate" and record["images"] == 2 and len(record["how"]) > 200
    assert record["top"] == CHOSEN and record["channels_on"] == 5
    shares = {channel["number"]: channel["share_on"] for channel in record["channels"]}
    assert [number for number, share in shares.items() if share == 1] == CHOSEN
    assert record["channels"][4]["name"] == "Y(0,4)"
    assert output.stat().st_size > 10_000

    cfg = load_yaml(str(output.with_suffix(".yaml")), [*SMALL, "MODEL.DEVICE", "cpu"])
    assert cfg.MODEL.META_ARCHITECTURE == "GeneralizedRCNN" and cfg.SOLVER.MAX_ITER == 1200
    stem = build_stem(cfg, ShapeSpec(channels=3))
    gated = load_yaml(DCT)  # its statistics are of all channels
    assert f"{gated.OUTPUT_DIR}_top5" == cfg.OUTPUT_DIR  # the gate's checkpoints stay
    assert stem.channels == CHOSEN
    assert torch.allclose(stem.std, torch.tensor(gated.MODEL.FREQ_INPUT.STD)[CHOSEN], rtol=1e-5)
    assert isinstance(build_model(cfg).backbone.bottom_up.stem, DCTStem)


def test_best_channels_are_ranked_by_share_then_chance_then_number():
    on = torch.tensor([0.5, 1.0, 0.5, 0.0, 0.5])
    chance = torch.tensor([0.5, 0.9, 0.6, 0.4, 0.5])
    assert [best_channels(on, chance, top) for top in (1, 2, 3)] == [[1], [1, 2], [0, 1, 2]]


def test_maps_have_rows_of_vertical_frequency():
    stem = DCTStem(channels=[1, 8, 64 + 63])
    maps = raster_maps(stem, torch.tensor([0.1, 0.2, 0.3]))
    assert maps.shape == (3, 8, 8) and np.isnan(maps).sum() == 3 * 64 - 3
    found = maps[0, 0, 1], maps[0, 1, 0], maps[1, 7, 7]
    np.testing.assert_allclose(found, (0.1, 0.2, 0.3), rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "overrides", "said"),
    [
        ((), SMALL, "the model has no gate"),
        (("--top", "65"), GATED, "the gate has 64 channels"),
        (
            (),
            [*GATED[:-2], "MODEL.FREQ_INPUT.STEM", "learned", "MODEL.FREQ_INPUT.MEAN", "[]"]
            + ["MODEL.FREQ_INPUT.STD", "[]", "MODEL.FREQ_INPUT.MEASURED_FOR", ""],
            "not behind a DCT",
        ),
    ],
)
def test_bad_requests_in_one_line(tiny_data, tmp_path, capsys, words, overrides, said):
    assert run(DCT, tiny_data(1), tmp_path / "g.png", *words, overrides=overrides) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "g.png").exists()
