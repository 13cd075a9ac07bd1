"""Objects that a detector cannot learn: of an unknown class, and without area."""

from types import SimpleNamespace

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Instances
from detectron2.utils.events import EventStorage
from torch import nn

from d2freq.engine.hooks.known_classes import KnownClasses
from d2freq.engine.step import make_step
from d2freq.errors import DatasetError
from d2freq.modeling.ground_truth import check_classes
from tests.d2freq.modeling.detectors.dense.dense_cases import build, instances
from tests.d2freq.modeling.detectors.dino.dino_cases import small_config
from tests.d2freq.modeling.detectors.test_two_stage import build as build_two_stage
from tests.d2freq.modeling.detectors.test_two_stage import record


def truth(*classes):
    boxes = [[8.0, 8, 20, 18]] * len(classes)
    return instances(boxes, list(classes))


def named(*classes):
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    return [{"image": image, "instances": truth(*classes), "file_name": "a.png"}]


@pytest.mark.parametrize("kind", ["ATSS", "PAA", "AutoAssign", "FCOS", "DINO", "grid_rcnn", "SET"])
@pytest.mark.parametrize("number", [8, 100, -1])
def test_an_unknown_class_is_named_with_picture_and_key(kind, number):
    two_stage, key = kind in ("grid_rcnn", "SET"), "MODEL.ROI_HEADS"
    if kind == "DINO":
        model, key = build_model(small_config(NUM_CLASSES=8)), "MODEL.DINO"
    elif kind == "SET":
        model = build_two_stage("cascade_rpn", "MODEL.META_ARCHITECTURE", "SET",
                                "MODEL.SET.DETECTOR", "GeneralizedRCNN")  # fmt: skip
    elif two_stage:
        model = build_two_stage(kind)
    else:
        model, key = build(kind), f"MODEL.{kind.upper()}"
    if two_stage and number == -1:  # Detectron2's RoI heads pass over those
        return
    picture = "image 0 of the batch" if kind == "grid_rcnn" else "a.png"
    message = rf"{picture}: object 1 is of class {number}, .*{key}.NUM_CLASSES"
    with pytest.raises(DatasetError, match=message), EventStorage():
        model.train()(named(0, number))


def test_what_is_known_and_what_is_passed_over():
    check_classes([truth(), truth(0, 7)], 8, key="K")
    check_classes([truth(-1, 7)], 8, key="K", ignores=True)
    check_classes([Instances((4, 4))], 8, key="K")  # of other data
    with pytest.raises(DatasetError, match="image 1 of the batch: object 0 is of class -1"):
        check_classes([truth(3), truth(-1)], 8, key="K")


class Host(nn.Module):
    """A detector of the host, which does not look at classes."""

    def __init__(self):
        super().__init__()
        self.num_classes, self.weight = 2, nn.Parameter(torch.ones(()))

    def forward(self, batch):
        return {"loss": self.weight * len(batch)}


def test_the_trainer_looks_for_every_detector_and_names_the_data_sets():
    model = Host()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    step = make_step(model, [named(1), named(0, 2)], optimizer, amp=False)
    config = SimpleNamespace(class_key="MODEL.X.NUM_CLASSES", train_sets=lambda: ["one", "two"])
    hook = KnownClasses(config)
    hook.trainer = step
    hook.before_train()
    with EventStorage() as step.storage:
        step.iter = 0
        step.run_step()
        with pytest.raises(DatasetError, match=r"a\.png: .* class 2, .* data set one, two"):
            step.run_step()


@pytest.mark.parametrize("generator", ["RPN", "NWDRPN", "RFLARPN", "DotDRPN", "MaxIoURPN"])
def test_an_object_without_area_has_a_finite_loss(generator):
    from d2freq.modeling.assignment.lean import lean

    model = lean(build_two_stage("grid_rcnn", "MODEL.PROPOSAL_GENERATOR.NAME", generator)).train()
    batch = [record([10.0, 10, 10, 18], [30.0, 30, 40, 30], [5.0, 5, 9, 9])]
    with EventStorage():
        losses = model(batch)
    assert all(loss.isfinite() for loss in losses.values())
