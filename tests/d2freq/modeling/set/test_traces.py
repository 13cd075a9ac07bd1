"""A step leaves no trace but its losses, whatever happens in it."""

import pytest
import torch
from detectron2.utils.events import EventStorage, get_event_storage
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.set import SET

from .toy import CHANNELS, Toy, toy_batch


class Remembering(Toy):
    """Has a running mean of its own, batch norm in its head, and logs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(CHANNELS)
        self.seen: list[float] = []

    def losses(self, features):
        self.mean = 0.9 * getattr(self, "mean", 10.0) + 0.1 * 5.0
        self.seen.append(self.mean)
        normed = {name: self.norm(level) for name, level in features.items()}
        return {name: loss / self.mean for name, loss in super().losses(normed).items()}


def test_running_means_and_statistics_move_once_a_step():
    model, plain = SET(Remembering()), Remembering()
    plain.load_state_dict(model.detector.state_dict())
    for _ in range(3):
        records = toy_batch()
        model(records)
        plain(records)
    assert model.detector.mean == plain.mean
    assert model.detector.seen == [mean for mean in plain.seen for _ in range(2)]
    for name, value in plain.state_dict().items():
        assert torch.equal(model.detector.state_dict()[name], value), name
    assert model.detector.norm.track_running_stats


class Failing(Toy):
    """Fails in the pass of that number."""

    fails_in = 1

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[str] = []

    def losses(self, features):
        self.passes.append("one more")
        if len(self.passes) == self.fails_in:
            raise RuntimeError("out of memory")
        return super().losses(features)


@pytest.mark.parametrize("fails_in", [1, 2])
def test_the_tap_is_gone_after_an_exception(fails_in):
    model = SET(Failing())
    model.detector.fails_in = fails_in
    backbone, names = model.detector.backbone, list(model.state_dict())
    with EventStorage() as storage:
        with pytest.raises(RuntimeError, match="out of memory"):
            model(toy_batch())
        assert get_event_storage() is storage
    assert model.detector.backbone is backbone and list(model.state_dict()) == names
    assert all("Recorder" not in type(module).__name__ for module in model.modules())
    assert len(model(toy_batch())) == 4  # the next batch is trained on as ever


def test_pictures_of_a_step_are_those_of_the_first_pass():
    class Drawing(Toy):
        def losses(self, features):
            drawn.append(features["p2"])
            get_event_storage().put_image("p2", torch.zeros(3, 4, 4, dtype=torch.uint8))
            return super().losses(features)

    drawn: list[torch.Tensor] = []
    with EventStorage() as storage:
        SET(Drawing())(toy_batch())
    assert len(drawn) == 2 and len(storage._vis_data) == 1


def test_layers_of_the_backbone_that_are_in_evaluation_mode_stay_there():
    model = SET(Toy())
    model.backbone.coarse.eval()
    model(toy_batch())
    assert not model.backbone.coarse.training and model.backbone.fine.training


@pytest.mark.parametrize(
    ("times", "words"), [(0, "did not call its backbone"), (2, "runs its backbone twice")]
)
def test_a_detector_has_to_run_its_backbone_once(times, words):
    class Odd(Toy):
        def forward(self, records):
            images = torch.stack([record["image"] for record in records])
            features = {"p2": torch.ones(2, CHANNELS, 8, 8), "p3": torch.ones(2, CHANNELS, 4, 4)}
            for _ in range(times):
                features = self.backbone(images)
            return self.losses(features)

    with pytest.raises(UserError, match=words):
        SET(Odd())(toy_batch())
