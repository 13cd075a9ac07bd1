"""torch.compile of the detector, of its parts, or of all: the same losses and gradients."""

import pytest
import torch

from d2freq.modeling.set import SET

from .set_cases import batch, build, gradients
from .toy import Toy, toy_batch


@pytest.mark.parametrize(
    ("part", "backend"),
    [
        # torch.compile looks into all that d2freq imports
        pytest.param("", "eager", marks=pytest.mark.slow),
        ("detector", "eager"),
        ("detector", "aot_eager"),
        ("detector.backbone", "aot_eager"),
    ],
)
def test_a_compiled_part_trains_alike_step_after_step(part, backend):
    torch._dynamo.reset()
    model, other = SET(Toy()), SET(Toy())
    other.load_state_dict(model.state_dict())
    if backend == "aot_eager":
        # A compiled backbone gives all levels at once: what P3 sends back to P2 is not seen.
        for each in (model, other):
            each.detector.backbone.coarse.weight.data.zero_()
    other.get_submodule(part).compile(backend=backend)
    for _ in range(3):
        records = toy_batch()
        expected = gradients(model, records)
        for name, gradient in gradients(other, records).items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)
    assert list(other.state_dict()) == list(model.state_dict())


def test_the_head_of_a_real_detector_may_be_compiled():
    torch._dynamo.reset()
    model, other = build("fcos"), build("fcos")
    other.detector.head.compile(backend="aot_eager")
    for seed in range(2):
        records = batch(seed=seed)
        expected = gradients(model, records)
        for name, gradient in gradients(other, records).items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-3, atol=1e-4)
