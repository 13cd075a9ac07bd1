"""Batches that are unlike others, and what SET refuses, with culprit and cure."""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage
from torch import nn

from d2freq.engine.config.registry_names import check_registry_names, meta_architectures
from d2freq.engine.tasks.detection import classes_of
from d2freq.errors import UserError
from d2freq.modeling.set import SET

from .set_cases import DETECTORS, batch, build, config
from .toy import Toy, toy_batch


@pytest.mark.parametrize("case", DETECTORS)
@pytest.mark.parametrize("counts", [(0, 0), (3, 0)], ids=["no boxes", "one image without"])
def test_images_without_boxes_are_background(case, counts):
    model = build(case)
    with EventStorage():
        losses = model(batch(counts))
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("case", DETECTORS)
def test_half_empty_batches_train_in_bfloat16(case):
    model = build(case)
    with EventStorage(), torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model(batch((0, 3)))
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_boxes_smaller_than_every_stride_are_trained_on():
    model, records = build("faster"), batch()
    for record in records:
        record["instances"].gt_boxes.tensor[:, 2:] = record["instances"].gt_boxes.tensor[:, :2] + 2
    with EventStorage():
        losses = model(records)
    assert all(value.isfinite() for value in losses.values())


class Planted(Toy):
    """Its class loss is as given; its box loss reads P2 alone, so P3 gets no gradient of it."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.fed: list[dict] = []

    def losses(self, features):
        self.fed.append({level: value.detach() for level, value in features.items()})
        found = super().losses({"p2": features["p2"]})
        return {**found, "loss_cls": found["loss_cls"] * self.factor}


@pytest.mark.parametrize("factor", [0.0, float("inf"), float("nan")])
def test_a_branch_without_a_usable_gradient_perturbs_nothing(factor):
    """The other one keeps its half; a level that no loss reads stays as it is."""
    model = SET(Planted(factor), smoothing=False)
    losses = model(toy_batch())
    first, second = model.detector.fed
    assert abs(float((second["p2"] - first["p2"]).norm()) - 0.5) < 1e-5
    assert torch.equal(first["p3"], second["p3"])
    assert losses["loss_box_reg"].isfinite() and losses["loss_set_box_reg"].isfinite()
    assert losses["loss_cls"].isfinite() == (factor == 0)  # a trainer stops at it, as without SET


def test_a_record_without_instances_is_named():
    records = toy_batch()
    records[1] = {"image": records[1]["image"], "file_name": "b.png"}
    with pytest.raises(UserError, match=r"record 1 .*b\.png.*'instances'"):
        SET(Toy())(records)


def test_a_detector_without_backbone_is_refused():
    with pytest.raises(UserError, match="Linear has no module `backbone`"):
        SET(nn.Linear(2, 2))


def test_set_inside_set_is_refused():
    with pytest.raises(UserError, match="SET inside SET"):
        SET(SET(Toy()))
    cfg = config("fcos", "MODEL.SET.DETECTOR", "SET", with_set=True)
    with pytest.raises(UserError, match=r"MODEL\.SET\.DETECTOR: SET inside SET"):
        build_model(cfg)


def test_levels_that_the_backbone_lacks_are_named():
    with pytest.raises(UserError, match="no p9; it has p2, p3"):
        SET(Toy(), in_features=["p2", "p9"])
    assert list(SET(Toy(), in_features=["p3"]).smoothing) == ["p3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss_weight": -1.0}, "LOSS_WEIGHT is -1.0"),
        ({"loss_weight": float("nan")}, "LOSS_WEIGHT is nan"),
        ({"loss_weight": float("inf")}, "LOSS_WEIGHT is inf"),
        ({"loss_weight": "much"}, "LOSS_WEIGHT is 'much'"),
        ({"rho": -1.0}, r"rho -1\.0 \(MODEL\.SET\.RHO\)"),
        ({"rho": "much"}, r"rho 'much' \(MODEL\.SET\.RHO\)"),
        ({"norm": "level"}, r"norm \(MODEL\.SET\.NORM\): 'level'.*batch, image"),
        ({"kernel": 3.0}, r"kernel 3\.0 \(MODEL\.SET\.KERNEL\)"),
        ({"kernel": True}, r"kernel True \(MODEL\.SET\.KERNEL\)"),
        ({"kernel": ["a", 3]}, r"kernel \['a', 3\] \(MODEL\.SET\.KERNEL\)"),
        ({"in_features": "p2"}, "IN_FEATURES is 'p2': write a list"),
        ({"in_features": ["p2", "p2"]}, "IN_FEATURES has a level twice: p2, p2"),
        ({"branches": ["loss_mask"]}, r"BRANCHES: 'loss_mask' is no pair; .*\[\[\"loss_mask\""),
        ({"branches": [["loss_mask", "a", "b"]]}, "BRANCHES: .* is no pair"),
        ({"branches": [["a", "b"], ["a", "c"]]}, "BRANCHES has 'a' twice"),
        ({"branches": [["a", 3]]}, "BRANCHES: the branch of a is 3"),
        ({"branches": [[3, "a"]]}, "BRANCHES: 3 is no name"),
        ({"branches": 3}, "BRANCHES is 3; write pairs"),
        ({"branch_weights": [0.5, 0.5]}, "BRANCH_WEIGHTS: 0.5 is no pair"),
        ({"branch_weights": [["cls", 1], ["cls", 2]]}, "BRANCH_WEIGHTS has 'cls' twice"),
        ({"branch_weights": {"cls": "a"}}, "BRANCH_WEIGHTS: the weight of cls is 'a'"),
        ({"branch_weights": {"cls": float("nan")}}, "BRANCH_WEIGHTS: the weight of cls is nan"),
        ({"branch_weights": {"clss": 1.0}}, "no loss is of branch 'clss'; choose from: .*cls, ctr"),
    ],
)
def test_values_that_do_not_exist_are_refused_before_training(options, message):
    with pytest.raises(UserError, match=message):
        SET(Toy(), **options)


def test_pairs_and_mappings_of_branches_mean_the_same():
    pairs = {"branches": [["loss_cls", "one"]], "branch_weights": [["one", 1], ["reg", 0.0]]}
    first, second = SET(Toy(), **pairs), SET(Toy(), **{k: dict(v) for k, v in pairs.items()})
    assert first.branches == second.branches == {"loss_cls": "one"}
    assert first.branch_weights == second.branch_weights == {"one": 1, "reg": 0.0}
    first(toy_batch())


def test_unknown_losses_are_refused_in_the_first_step():
    class Keypoints(Toy):
        def losses(self, features):
            return {**super().losses(features), "loss_keypoint": features["p2"].sum()}

    with pytest.raises(UserError, match=r"loss_keypoint.*MODEL\.SET\.BRANCHES"):
        SET(Keypoints())(toy_batch())
    assert len(SET(Keypoints(), branches={"loss_keypoint": "keypoint"})(toy_batch())) == 6
    assert len(SET(Keypoints(), perturbation=False)(toy_batch())) == 6


def test_smoothing_covers_the_levels_that_heads_read_and_no_others():
    assert build("faster").in_features == ["p2", "p3", "p4", "p5", "p6"]
    sizes = ["MODEL.ANCHOR_GENERATOR.SIZES", [[8]]]
    model = build("faster", "MODEL.RPN.IN_FEATURES", ["p2", "p3", "p4", "p5"], *sizes)
    assert model.in_features == ["p2", "p3", "p4", "p5"]
    model = build("retinanet", "MODEL.RETINANET.IN_FEATURES", ["p3", "p5"], *sizes)
    assert list(model.smoothing) == ["p3", "p5"]


def test_a_chosen_level_that_no_head_reads_is_said(caplog):
    """Its block would have no gradient, at which DistributedDataParallel stops."""
    sizes = ["MODEL.ANCHOR_GENERATOR.SIZES", [[8]], "MODEL.RETINANET.IN_FEATURES", ["p3", "p5"]]
    model = build("retinanet", *sizes, "MODEL.SET.IN_FEATURES", ["p3", "p4"])
    assert "no head reads p4" in caplog.text and model.in_features == ["p3", "p4"]


def test_check_knows_the_detector_within_set():
    name, _ = DETECTORS["faster"]
    check_registry_names(config("faster", with_set=True))
    with pytest.raises(
        UserError, match=r"MODEL\.SET\.DETECTOR: no 'RetinaNett'.*did you mean RetinaNet"
    ):
        check_registry_names(config("fcos", "MODEL.SET.DETECTOR", "RetinaNett", with_set=True))
    with pytest.raises(UserError, match=r"MODEL\.ROI_HEADS\.NAME"):
        check_registry_names(config("faster", "MODEL.ROI_HEADS.NAME", "Nothing", with_set=True))
    assert meta_architectures(config("faster", with_set=True))[-1] == ("MODEL.SET.DETECTOR", name)
    for case in ("fcos", "faster"):
        assert classes_of(build(case)) == classes_of(build(case, with_set=False)) == 3
