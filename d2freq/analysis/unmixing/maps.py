"""What unmixing models make of the trajectories of a data set, for figures.

Shape shorthand: F centre frames, m pixels and g grid cells a side, K targets, n points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from torch import nn

from d2freq.data.seqcsist import SequenceMapper
from d2freq.data.seqcsist.grid import grid_targets
from d2freq.errors import UserError
from d2freq.modeling.unmixing import UnmixingModel

__all__ = ["Unmixed", "unmix"]


@dataclass(frozen=True)
class Unmixed:
    """One trajectory as it was seen, unmixed and meant to be.

    Attributes:
        trajectory: its id.
        numbers: (F,) int64, which frames these are.
        frames: (F, m, m) float32, grey levels, what the models saw.
        grids: name of the model -> (F, g, g) float32.
        points: name of the model -> F arrays (n, 3) of row, column, intensity; empty without
            decoding.
        positions: F arrays (K, 2) of row and column.
        truth: (F, g, g) float32, the ground truth on the grid.
    """

    trajectory: int
    numbers: np.ndarray
    frames: np.ndarray
    grids: dict[str, np.ndarray]
    points: dict[str, list[np.ndarray]]
    positions: list[np.ndarray]
    truth: np.ndarray

    def place(self, number: int) -> int:
        """Index of a frame.

        Raises:
            UserError: the frame lacks neighbours, or there is none of this number.
        """
        found = np.flatnonzero(self.numbers == number)
        if not len(found):
            raise UserError(
                f"frame {number} of trajectory {self.trajectory} is not unmixed; frames "
                f"{self.numbers[0]} to {self.numbers[-1]} are"
            )
        return int(found[0])


@torch.no_grad()
def unmix(
    models: Mapping[str, nn.Module],
    dataset: str,
    trajectories: Sequence[int],
    *,
    noise: float = 0.0,
    points: bool = False,
) -> list[Unmixed]:
    """Run models in evaluation mode on some trajectories.

    Args:
        models: unmixing models by the name in the figure; of one size, factor and window.
        dataset: a registered data set of trajectories.
        trajectories: ids.
        noise: standard deviation of noise on the frames, in grey levels.
        points: also decode the grids to sub-pixel targets.

    Raises:
        UserError: no model, models that do not fit each other, an unknown data set or trajectory.
        DatasetError: a trajectory does not fit the models.
    """
    unmixers = _unmixers(models)
    first = next(iter(unmixers.values()))
    mapper = SequenceMapper(
        is_train=False, size=first.size, factor=first.factor, noise=noise, window=first.window
    )
    found = []
    for record in _records(dataset, trajectories):
        mapped = mapper(record)
        grids, decoded = {}, {}
        middle = torch.arange(len(mapped["frames"]))
        middle = middle[first.neighbours : len(middle) - first.neighbours]
        frames = mapped["frames"][middle, 0]
        for name, model in unmixers.items():
            grid = model([mapped])[0]["grid"]
            grids[name] = grid.cpu().numpy()
            if points:
                seen = mapped["frames"][None].to(grid.device)
                own = model.targets(grid[None], seen)[0]
                decoded[name] = [targets.points.cpu().numpy() for targets in own]
        positions, intensities = mapped["positions"][middle], mapped["intensities"][middle]
        truth = grid_targets(positions, intensities, size=first.size, factor=first.factor)
        found.append(
            Unmixed(
                trajectory=int(record["trajectory_id"]),
                numbers=middle.numpy(),
                frames=frames.numpy(),
                grids=grids,
                points=decoded,
                positions=list(positions.numpy()),
                truth=truth.float().numpy(),
            )
        )
    return found


def _unmixers(models: Mapping[str, nn.Module]) -> dict[str, UnmixingModel]:
    """The same models, after a look at what they are and whether their optics agree."""
    if not models:
        raise UserError("no model to draw; name at least one config")
    unmixers = {}
    for name, model in models.items():
        if not isinstance(model, UnmixingModel):
            raise UserError(f"{name}: {type(model).__name__} is no unmixing model")
        unmixers[name] = model
    optics = {(m.size, m.factor, m.window): name for name, m in unmixers.items()}
    if len(optics) > 1:
        told = "; ".join(f"{name}: {values}" for values, name in optics.items())
        raise UserError(f"models of different size, factor and window are not comparable: {told}")
    return unmixers


def _records(dataset: str, trajectories: Sequence[int]) -> list[dict]:
    if dataset not in DatasetCatalog.list():
        raise UserError(f"data set {dataset!r} is not registered; seqcsist_test is, for example")
    if MetadataCatalog.get(dataset).get("evaluator_type") != "seqcsist":
        raise UserError(
            f"data set {dataset!r} has no trajectories; seqcsist_test does, for example"
        )
    records = {int(record["trajectory_id"]): record for record in DatasetCatalog.get(dataset)}
    missing = [number for number in trajectories if number not in records]
    if missing:
        raise UserError(
            f"{dataset} has no trajectory {missing[0]}; it has {len(records)}, from "
            f"{min(records)} to {max(records)}"
        )
    return [records[number] for number in trajectories]
