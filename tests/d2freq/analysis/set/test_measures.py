"""Occlusion, components, saliency and band statistics against what can be worked out by hand."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog

from d2freq.analysis.set.background import measure_bands
from d2freq.analysis.set.bands import Band, parse_bands
from d2freq.analysis.set.features import pyramid
from d2freq.analysis.set.object_spectrum import crop_window, strongest_channel
from d2freq.analysis.set.occlusion import mask_level, measure_occlusion
from d2freq.analysis.set.principal_component import first_component, show_components
from d2freq.analysis.set.saliency import box_sums, measure_saliency, released_features, saliency_map
from d2freq.errors import UserError
from d2freq.evaluation import get_protocol
from d2freq.modeling.set.masks import foreground_mask
from d2freq.ops.spectrum import BELOW_ZERO, FARTHEST

ALL = (BELOW_ZERO, FARTHEST)


def read(picture):
    return json.loads(picture.with_suffix(".json").read_text())


def test_occlusion_of_everything_takes_what_the_planted_detector_sees(planted, tmp_path):
    picture = tmp_path / "new" / "occlusion.png"
    bands = [Band("everything", 0, 100), Band("low", 0, 40)]
    record = measure_occlusion(planted, picture, bands=bands, regions=["full"])
    assert record.AP["none"]["AP"] == pytest.approx(100)
    assert record.AP["everything"]["AP"] == 0  # flat features: nothing is found
    assert record.AP["low"]["APs"] == pytest.approx(100)  # noise has more than low frequencies
    assert record.change_per_cent["everything"]["APs"] == -100
    assert record.objects == {"vt": 0, "t": 0, "s": 4, "m": 0}
    saved = read(picture)
    assert saved["AP"]["none"]["APvt"] is None and saved["change_per_cent"]["low"]["APm"] is None
    assert "no object of scale vt: its AP is null" in saved["notes"]
    assert saved["radii_cycles_per_cell"]["p2"]["everything"] == list(ALL)
    assert saved["per_cent_of_all_energy"]["p2"]["everything"] == pytest.approx(100)
    assert saved["images"] == 3 and saved["settings"]["calibration_images"] == 3
    assert picture.stat().st_size > 10_000


def test_occlusion_counts_only_the_images_that_it_ran_on(planted, tmp_path):
    bands = [Band("high", 90, 100)]
    record = measure_occlusion(planted, tmp_path / "x.png", bands=bands, count=2, calibration=1)
    assert record.images == 2 and record.objects["s"] == 2  # the first and the empty last
    assert record.AP["none"]["AP"] == pytest.approx(100)
    assert list(record.AP) == ["none", "high", "high, background"]


def test_occlusion_refuses_a_protocol_without_ap(planted, tmp_path):
    subject = dataclasses.replace(planted, protocol=get_protocol("irstd"))
    with pytest.raises(UserError, match="protocol irstd gives no AP"):
        measure_occlusion(subject, tmp_path / "x.png", bands=[Band("high", 90, 100)])


def test_masking_the_background_leaves_objects_alone():
    feature = torch.randn(1, 4, 9, 8)
    foreground = torch.zeros(1, 1, 9, 8, dtype=torch.bool)
    foreground[..., 2:4, 3:5] = True
    masked = mask_level(feature, (0.0, 0.3), foreground)
    assert torch.equal(masked[..., 2:4, 3:5], feature[..., 2:4, 3:5])
    hidden = mask_level(feature.masked_fill(foreground, 0), (0.0, 0.3))
    torch.testing.assert_close(masked[0, :, 5:], hidden[0, :, 5:])
    gone = mask_level(feature, ALL, foreground)
    assert torch.equal(gone, feature.masked_fill(~foreground, 0))
    torch.testing.assert_close(mask_level(feature, (0.3, 0.3)), feature)  # no frequency


def test_bands_in_words():
    assert parse_bands(["40-60", "high=90-100"], "--x") == [
        Band("40-60", 40, 60),
        Band("high", 90, 100),
    ]
    for word in ("60-40", "90", "a=b", "0.9-1.0-2", "90-101", "-5-10"):
        with pytest.raises(UserError, match="--x .*LOW-HIGH"):
            parse_bands([word], "--x")
    with pytest.raises(UserError, match="two bands have one name"):
        parse_bands(["a=0-40", "a=40-60"], "--x")


def test_component_equals_an_svd():
    feature = torch.randn(6, 5, 7, generator=torch.Generator().manual_seed(0))
    inside = torch.zeros(5, 7, dtype=torch.bool)
    inside[1:3, 2:4] = True
    found = first_component(feature, inside)
    cells = feature.reshape(6, -1).T.double().numpy()
    u, s, _ = np.linalg.svd(cells - cells.mean(0), full_matrices=False)
    expected = (u[:, 0] * s[0]).reshape(5, 7)
    np.testing.assert_allclose(found.values.abs().numpy(), np.abs(expected), atol=1e-9)
    assert found.explained == pytest.approx(s[0] ** 2 / (s**2).sum())
    assert found.values[inside].mean() >= found.values[~inside].mean()
    mirrored = first_component(-feature, inside)  # the sign does not depend on the axis found
    torch.testing.assert_close(mirrored.values, found.values)
    turned = first_component(feature, ~inside)
    torch.testing.assert_close(turned.values, -found.values)


@pytest.mark.parametrize("cells", [False, True])
def test_component_without_two_kinds_of_cells(cells):
    feature = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1))
    values = first_component(feature, torch.full((4, 4), cells)).values
    assert values.flatten()[values.abs().argmax()] > 0
    assert math.isnan(first_component(torch.ones(3, 4, 4), torch.zeros(4, 4) > 0).explained)


def test_smoothing_that_does_nothing_changes_no_picture_and_no_band(fcos_set, tmp_path):
    for block in fcos_set.model.smoothing.values():
        torch.nn.init.zeros_(block.expand.weight)
        torch.nn.init.zeros_(block.expand.bias)
    record = show_components([fcos_set], tmp_path / "pca.png")
    before, after = record.maps
    assert (before.state, after.state) == ("before HBS", "after HBS")
    assert dataclasses.replace(before, state=after.state) == after and record.objects == 2
    bands = [Band("low", 0, 40), Band("rest", 40, 100)]
    found = measure_bands(fcos_set, tmp_path / "bands.png", bands=bands, count=2)
    for states in found.levels.values():
        assert states["before"] == states["after"]
        assert sum(states["after"][band].amplitude_share for band in ("low", "rest")) == (
            pytest.approx(1)
        )


def test_band_statistics_are_of_the_background_through_the_block(fcos_set, tmp_path):
    bands = [Band("all", 0, 100)]
    record = measure_bands(
        fcos_set, tmp_path / "b.png", bands=bands, levels=["p3"], count=1, seed=4
    )
    (image_id,) = record.image_ids
    image = fcos_set.image(next(r for r in fcos_set.records if r["image_id"] == image_id))
    seen = pyramid(fcos_set.detector, image)
    feature = seen.features["p3"]
    mask = foreground_mask([image.boxes], seen.padded, feature.shape[-2:])
    ground = feature * ~mask
    with torch.no_grad():
        smooth = fcos_set.model.smoothing["p3"](ground)
    for state, x in (("before", ground), ("after", smooth)):
        expected = np.abs(np.fft.fft2(x[0].numpy(), norm="ortho")).mean()
        found = record.levels["p3"][state]["all"].amplitude_mean
        assert found == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UserError, match="--levels p9: the model smooths p2, p3"):
        measure_bands(fcos_set, tmp_path / "b.png", bands=bands, levels=["p9"])


def test_saliency_by_hand(planted, tmp_path):
    record = measure_saliency([planted], tmp_path / "s.png", count=0)
    # mean gradient (0.5, 2, 1) in every cell; a box of 22 x 18 pixels
    expected = math.sqrt(0.5**2 + 2**2 + 1**2) * 22 * 18
    (found,) = record.saliency
    assert found.drawn_image_objects == pytest.approx([expected, expected])
    assert found.mean_saliency["s"] == pytest.approx(expected)
    assert found.objects == {"all": 4, "vt": 0, "t": 0, "s": 4, "m": 0}
    assert read(tmp_path / "s.png")["saliency"][0]["mean_saliency"]["vt"] is None
    with pytest.raises(UserError, match="--recipe released needs a SET model"):
        measure_saliency([planted], tmp_path / "s.png", recipe="released")


def test_saliency_map_and_sums_equal_loops():
    gradients = {"a": torch.randn(3, 4, 5), "b": torch.randn(3, 4, 5)}
    heat = saliency_map(gradients, (16, 20))
    mean = (gradients["a"] + gradients["b"]) / 2
    norm = mean.square().sum(0).sqrt()
    assert heat.shape == (16, 20)
    for y, x in ((0, 0), (7, 9), (15, 19)):  # centres of pixels between centres of cells
        at = [min(max((p + 0.5) / 4 - 0.5, 0), n - 1) for p, n in ((y, 4), (x, 5))]
        (i, u), (j, v) = ((int(a), a - int(a)) for a in at)
        k, m = min(i + 1, 3), min(j + 1, 4)
        rows = (1 - v) * norm[[i, k], j] + v * norm[[i, k], m]
        torch.testing.assert_close(heat[y, x], (1 - u) * rows[0] + u * rows[1])
    boxes = torch.tensor([[1.5, 2, 4, 5.1], [-3, -3, 2, 1], [18, 14, 30, 30]])
    expected = [heat[2:6, 1:4].sum(), heat[0:1, 0:2].sum(), heat[14:, 18:].sum()]
    np.testing.assert_allclose(box_sums(heat, boxes), torch.stack(expected), rtol=1e-6)


def test_released_recipe_is_three_times_the_perturbation(fcos_set, tmp_path):
    image = fcos_set.image(fcos_set.records[0])
    seen = pyramid(fcos_set.detector, image)
    moved = released_features(fcos_set.model, image, seen, seen.features, seed=0)
    for level, feature in moved.items():
        length = (feature - seen.features[level]).norm()
        assert 0 < length <= 3.001  # rho 1 times 3; less where the branches disagree
    options = {"count": 1, "level": "p3"}
    plain = measure_saliency([fcos_set], tmp_path / "p.png", **options)
    told = measure_saliency([fcos_set], tmp_path / "r.png", recipe="released", **options)
    assert plain.saliency[0].measured_at == "plain feature, factor 1"
    assert "noise x 3, sums x 3" in told.saliency[0].measured_at
    assert plain.saliency[0].mean_saliency != told.saliency[0].mean_saliency


def test_windows_around_objects():
    assert crop_window([80, 80, 90, 90], 8, (40, 50), cells=16) == (3, 3, 19, 19)
    assert crop_window([0, 0, 8, 8], 8, (40, 50), cells=16) == (0, 0, 16, 16)  # moved in
    assert crop_window([390, 310, 398, 318], 8, (40, 50), cells=16) == (34, 24, 50, 40)
    assert crop_window([0, 0, 160, 80], 8, (40, 50), cells=16, context=1.5) == (0, 0, 30, 30)
    assert crop_window([0, 0, 40, 40], 8, (5, 5), cells=16) == (0, 0, 5, 5)  # a small level
    with pytest.raises(UserError, match="outside of the image"):
        crop_window([900, 0, 908, 8], 8, (40, 50))
    with pytest.raises(UserError, match="--cells is 2 or more"):
        crop_window([0, 0, 8, 8], 8, (40, 50), cells=1)
    crop = torch.zeros(3, 4, 4)
    crop[1] = -2
    crop[2, 0, 0] = 5
    assert strongest_channel(crop) == 1


def test_a_data_set_without_objects(planted, tmp_path):
    empty = [r for r in DatasetCatalog.get(planted.dataset) if not r["annotations"]]
    subject = dataclasses.replace(planted, records=empty)
    with pytest.raises(UserError, match="has no object in any image"):
        measure_saliency([subject], tmp_path / "x.png")
