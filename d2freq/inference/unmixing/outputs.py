"""Unmixed frames as CSV and JSON; the picture is d2freq.analysis.unmixing.tracks."""

import csv
import io
import math
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from d2freq.inference.unmixing.run import Unmixed
from d2freq.ops.fisher import equal_area_sd
from d2freq.utils.files import write_json, write_text

__all__ = ["write_csv", "write_targets_json"]

COLUMNS = (
    *("frame", "name", "track", "row", "column", "intensity"),
    *("sd_row", "sd_column", "correlation", "score"),
)


def rows_of(found: Unmixed) -> Iterator[dict[str, object]]:
    """A row for each target: positions and deviations in pixels, and the order of confidence."""
    parts = zip(found.names, found.points, found.covariances, found.tracks, strict=True)
    for frame, (name, points, covariances, tracks) in enumerate(parts):
        scores = -equal_area_sd(torch.from_numpy(covariances))
        targets = zip(points, covariances, tracks, scores.tolist(), strict=True)
        for point, spread, track, sure in targets:
            row, column = math.sqrt(spread[0, 0]), math.sqrt(spread[1, 1])
            correlation = spread[0, 1] / max(row * column, 1e-300)
            values = (frame, name, int(track), *map(float, point), row, column, correlation, sure)
            yield dict(zip(COLUMNS, values, strict=True))


def write_csv(found: Unmixed, path: str | os.PathLike) -> Path:
    """A row a target, with a line of names on top."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows_of(found):
        short = {key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()}
        writer.writerow(short)
    return write_text(path, text.getvalue())


def write_targets_json(found: Unmixed, path: str | os.PathLike) -> Path:
    """How it was done, and the same rows."""
    record = {
        "sigma": found.sigma,
        "sigma_estimated": found.estimated,
        "frames_together": found.frames,
        "origin": list(found.origin),
        "size": found.images.shape[1],
        "saturated_pixels": found.saturated,
        "frames": list(found.names),
        "targets": list(rows_of(found)),
    }
    return write_json(path, record, indent=1)
