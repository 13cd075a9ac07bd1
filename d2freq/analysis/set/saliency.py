"""How much a detector's losses depend on the features of each object (SET, Fig. 5).

Shape shorthand: C channels, h x w of a level, H x W the padded input, N objects.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tabulate import tabulate
from torch import Tensor
from tqdm import tqdm

from d2freq.analysis.methods import RECIPES
from d2freq.analysis.methods import SALIENCY as METHOD
from d2freq.analysis.model_and_data import Image, Subject, areas_of, choose, pick_record, scales_of
from d2freq.analysis.result import About, Result
from d2freq.analysis.set.features import (
    Pyramid,
    branch_gradients,
    pick_level,
    pyramid,
    seeded_losses,
    smoothed,
)
from d2freq.analysis.set.saliency_plot import Panel, plot_saliency
from d2freq.errors import UserError
from d2freq.modeling.set import SET
from d2freq.modeling.set.branches import branch_losses
from d2freq.modeling.set.perturbation import perturbation
from d2freq.modeling.set.tap import replayed

__all__ = ["METHOD", "RECIPES", "box_sums", "measure_saliency", "released_features", "saliency_map"]

RELEASED_NOISE = 3.0  # of the published figure's SET panel, where training uses 1
RELEASED_SCORE = 3.0  # by which its printed numbers are multiplied on top


@dataclass(frozen=True)
class Settings:
    """By which choices saliency was measured."""

    level: str
    recipe: str
    seed: int


@dataclass(frozen=True)
class ModelSaliency:
    """What was found of one model."""

    model: str
    measured_at: str
    input_height_width: list[int]  # of the drawn image, as the network gets it
    objects: dict[str, int]  # by size class, "all" first
    mean_saliency: dict[str, float]  # NaN where there is no object
    drawn_image_objects: list[float]  # the sum in each box


@dataclass(frozen=True)
class Saliency(Result):
    """Means over ``images`` images, and one image in detail."""

    settings: Settings
    images: int
    drawn_image_id: int
    drawn_file_name: str
    saliency: list[ModelSaliency]
    notes: list[str]

    def table(self) -> str:
        """Means by size class, a row a model."""
        rows = [[each.model, *each.mean_saliency.values()] for each in self.saliency]
        headers = ["mean saliency", *self.saliency[0].mean_saliency]
        return tabulate(rows, headers, tablefmt="pipe", floatfmt=".4g")


def measure_saliency(
    subjects: Sequence[Subject],
    output: str | os.PathLike,
    *,
    level: str | None = None,
    image_id: int | None = None,
    count: int = 50,
    seed: int = 0,
    recipe: str = "plain",
) -> Saliency:
    """Sum each object's saliency, take means by size class, draw one image; write PNG and JSON.

    Args:
        subjects: one model, or two to compare, on one data set.
        level: a name; None for the highest resolution.
        image_id: which image is drawn; None for the first with objects.
        count: images at even steps through the data set that the means are of; 0 is all.
        seed: of the anchors and proposals that the losses are taken of.
        recipe: "plain", or "released" for the published figure's: see released_features.

    Raises:
        UserError: no such level or image, an unknown loss, or nothing to perturb in "released".
    """
    chosen = pick_level(subjects[0].detector, level)
    if recipe == "released" and not any(_perturbs(subject) for subject in subjects):
        raise UserError("--recipe released needs a SET model with MODEL.SET.PERTURBATION on")
    drawn = pick_record(subjects[0], image_id)
    records = choose(subjects[0].records, count)
    entries: list[ModelSaliency] = []
    panels: list[Panel] = []
    for subject in subjects:
        branches: dict[str, str] = {}
        for each in subjects:  # a plain detector beside a SET model has that one's branches
            branches |= getattr(each.model, "branches", {}) if isinstance(each.model, SET) else {}
        released = recipe == "released" and _perturbs(subject)
        heat_of = partial(
            _heat,
            subject,
            level=pick_level(subject.detector, chosen),
            branches=branches,
            seed=seed,
            released=released,
        )
        areas, sums = [np.zeros(0)], [np.zeros(0)]
        for record in tqdm(records, desc=subject.about["label"], unit="image"):
            image = subject.image(record)
            if len(image.boxes):
                areas.append(areas_of(image))
                sums.append(box_sums(heat_of(image), image.boxes))
        found = np.concatenate(sums)
        classes = {"all": np.ones(len(found), bool)}
        classes |= scales_of(np.concatenate(areas), subject.protocol)
        image = subject.image(drawn)
        heat = heat_of(image)
        panels.append(Panel(image, heat))
        entries.append(
            ModelSaliency(
                model=subject.about["label"],
                measured_at=(
                    f"perturbed feature, noise x {RELEASED_NOISE:g}, sums x {RELEASED_SCORE:g}"
                    if released
                    else "plain feature, factor 1"
                ),
                input_height_width=list(image.size),
                objects={label: int(inside.sum()) for label, inside in classes.items()},
                mean_saliency={
                    label: float(found[inside].mean()) if inside.any() else math.nan
                    for label, inside in classes.items()
                },
                drawn_image_objects=box_sums(heat, image.boxes).tolist(),
            )
        )
    empty = [label for label, number in entries[0].objects.items() if not number]
    notes = [f"no object of scale {label}: its mean is null" for label in empty]
    if len({tuple(entry.input_height_width) for entry in entries}) > 1:
        notes.append("the models see images of different sizes: sums do not compare")
    result = Saliency(
        about=About.of("saliency", METHOD, subjects),
        settings=Settings(chosen, recipe, seed),
        images=len(records),
        drawn_image_id=drawn["image_id"],
        drawn_file_name=drawn["file_name"],
        saliency=entries,
        notes=notes,
    )
    plot_saliency(result, panels, output)
    result.write(output)
    return result


def saliency_map(gradients: Mapping[str, Tensor], padded: tuple[int, int]) -> Tensor:
    """L2 norm over the channels of the branches' mean gradient, resized bilinearly.

    Args:
        gradients: branch -> (C, h, w).
        padded: H, W.

    Returns:
        (H, W) float32.
    """
    mean = torch.stack(list(gradients.values())).mean(0)
    norm = mean.norm(dim=0)[None, None]
    return F.interpolate(norm, size=padded, mode="bilinear", align_corners=False)[0, 0]


def box_sums(heat: Tensor, boxes: Tensor) -> np.ndarray:
    """Sum over the pixels that each box touches: (H, W), (N, 4) -> (N,) float64."""
    height, width = heat.shape
    sums = []
    for x0, y0, x1, y1 in boxes.tolist():
        rows = slice(max(math.floor(y0), 0), min(math.ceil(y1), height))
        columns = slice(max(math.floor(x0), 0), min(math.ceil(x1), width))
        sums.append(float(heat[rows, columns].double().sum()))
    return np.array(sums, np.float64)


def released_features(
    model: Any, image: Image, seen: Pyramid, base: Mapping[str, Tensor], *, seed: int
) -> dict[str, Tensor]:
    """Where the published figure looks at a SET model: P^E plus three times the perturbation.

    Args:
        model: a SET model.
        seen: the image's features, at which the perturbation is found.
        base: P^E, or the features themselves in a model without HBS.
    """
    leaves = {name: x.detach().clone().requires_grad_() for name, x in seen.features.items()}
    with (
        torch.enable_grad(),
        seeded_losses(model.detector, seed),
        replayed(model.detector, leaves),
    ):
        losses = branch_losses(model.detector([image.inputs]), model.branches)
        noise = perturbation(
            losses,
            {name: leaves[name] for name in model.in_features},
            rho=model.rho,
            weights=model.branch_weights,
            norm=model.norm,
        )
    return {**base, **{name: base[name] + RELEASED_NOISE * x for name, x in noise.items()}}


def _heat(
    subject: Subject,
    image: Image,
    *,
    level: str,
    branches: Mapping[str, str],
    seed: int,
    released: bool,
) -> Tensor:
    """Saliency of the image without its padding, (H, W) on the CPU."""
    seen = pyramid(subject.detector, image)
    features = seen.features
    if released:
        base = smoothed(subject, image, seen) if subject.model.smoothing is not None else features
        features = released_features(subject.model, image, seen, base, seed=seed)
    gradients = branch_gradients(
        subject.detector, image, features, level, branches=branches, seed=seed
    )
    height, width = image.size
    heat = saliency_map(gradients, seen.padded)[:height, :width].cpu()
    return RELEASED_SCORE * heat if released else heat


def _perturbs(subject: Subject) -> bool:
    return isinstance(subject.model, SET) and subject.model.perturbation
