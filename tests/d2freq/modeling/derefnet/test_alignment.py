"""DeRefNet's one pass over all windows is the loop over windows and neighbours."""

import pytest
import torch

from d2freq.modeling.derefnet.alignment import neighbour_frames, neighbour_pairs

from .derefnet_cases import batch, naive_frame, naive_window, small_derefnet


def close(found, wanted):
    scale = wanted.abs().max().clamp(min=1)
    assert (found - wanted).abs().max() <= 1e-5 * scale


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_all_windows_at_once_are_the_windows_one_by_one(preset):
    model, records = small_derefnet(preset=preset).eval(), batch()
    with torch.no_grad():
        outputs = model(records)
        for record, output in zip(records, outputs, strict=True):
            assert output["frames"].tolist() == [2, 3, 4]
            maps = [naive_frame(model, frame)[0] for frame in record["frames"]]
            for middle, grid in zip((2, 3, 4), output["grid"], strict=True):
                close(grid, naive_window(model, maps, middle)[0])


def test_a_batch_is_its_trajectories_one_by_one():
    model, records = small_derefnet().eval(), batch(3)
    with torch.no_grad():
        for record, output in zip(records, model(records), strict=True):
            close(output["grid"], model([record])[0]["grid"])


def test_pairs_are_those_of_each_window_in_temporal_order():
    assert neighbour_frames(7, 2).tolist() == [[0, 1, 3, 4], [1, 2, 4, 5], [2, 3, 5, 6]]
    maps = torch.arange(14.0).view(2, 7, 1, 1, 1)
    centre, other = neighbour_pairs(maps, maps, 2)
    assert centre.flatten().tolist() == [2] * 4 + [3] * 4 + [4] * 4 + [9] * 4 + [10] * 4 + [11] * 4
    assert other.flatten()[12:16].tolist() == [7, 8, 10, 11]


def test_features_are_computed_once_a_frame():
    model, seen = small_derefnet().eval(), []
    model.unfolding.stages[0].transform[0].register_forward_hook(
        lambda module, given, result: seen.append(len(given[0]))
    )
    model.alignment.features.register_forward_hook(
        lambda module, given, result: seen.append(len(given[0]))
    )
    with torch.no_grad():
        model(batch(2))
    assert seen == [14, 14]  # two trajectories of seven frames, not of three windows of five
