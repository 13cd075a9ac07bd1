"""CSOEvaluator: CSO-mAP of an unmixing model over a data set of trajectories.

A trajectory has T frames; measured are those in the middle of a window, window//2 to
T - 1 - window//2, which is 2 to 17 of SeqCSIST's 20. Coordinates are (row, column) in pixels.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from detectron2.data import DatasetCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from tabulate import tabulate

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.cso.metric import THRESHOLD, THRESHOLDS, cso_map, grid_detections
from d2freq.utils.files import write_json
from d2freq.utils.notices import BRIEF

__all__ = ["CSOEvaluator"]

logger = logging.getLogger(__name__)

RESULTS_FILE = "cso_results.json"
TASKS = {
    "cso": "cells of the grid at their centres, as published",
    "cso_subpixel": "decoded positions; not comparable with published figures",
}
Frame = tuple[int, int]  # trajectory, frame


class CSOEvaluator(DatasetEvaluator):
    """CSO-mAP by the published rules and, apart from it, of sub-pixel positions.

    ``evaluate`` returns percent: ``{"cso": {"CSO-mAP": ..., "AP05": ..., ...}}`` from ``grid`` of
    the model's outputs and, where they have ``points``, ``"cso_subpixel"`` with the same keys, of
    the positions as they are, ordered by ``scores`` where these are given, else by the points'
    third number. 0 where nothing was detected. With
    ``output_dir`` it writes both, how they were measured and what was left out to
    cso_results.json.

    On frames without noise d2freq's decoder scores 100 from any grid: compare methods under noise.
    """

    def __init__(
        self,
        dataset_name: str,
        *,
        output_dir: str | None = None,
        threshold: float = THRESHOLD,
        window: int = 5,
        factor: int = 3,
        distributed: bool = True,
    ):
        """Load the positions of a registered data set.

        Args:
            dataset_name: its records have ``trajectory_id`` and ``positions`` (T, K, 2).
            output_dir: folder for the results; None writes nothing.
            threshold: grey levels from which on a cell of the grid is a detection.
            window: frames of one; frames without half a window on both sides are not measured.
            factor: grid cells per pixel and axis.
            distributed: gather the predictions of all processes on the main one.

        Raises:
            UserError: the window is even or below 1.
            DatasetError: a trajectory is shorter than the window, two have one id, or there is no
                target.
        """
        if window < 1 or window % 2 == 0:
            raise UserError(f"window={window}: a window has an odd number of frames")
        self._name, self._output_dir, self._distributed = dataset_name, output_dir, distributed
        self._threshold, self._window, self._factor = threshold, window, factor
        self._truth = _read_truth(dataset_name, window)
        self.reset()

    def reset(self) -> None:
        """Forget all predictions."""
        self._found: dict[str, dict[Frame, np.ndarray]] = {task: {} for task in TASKS}
        self._repeated = self._outside = 0

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        """Keep the detections of a batch as arrays on the CPU.

        Args:
            inputs: ``trajectory_id`` of each.
            outputs: ``grid`` (F, g, g) and ``frames`` (F,), the numbers of its frames; ``points``,
                F tensors (n, 3) of row, column, intensity or score, is optional, and so is
                ``scores``, F tensors (n,), which takes the place of the third.

        Raises:
            UserError: an output lacks these, or another trajectory than the data set has.
            DetectionError: NaN or infinite predictions.
        """
        for record, output in zip(inputs, outputs, strict=True):
            trajectory = int(record["trajectory_id"])
            missing = [key for key in ("grid", "frames") if key not in output]
            if missing:
                raise UserError(
                    f"trajectory {trajectory}: the model's output has {sorted(output)}, no "
                    f"{missing[0]!r}; CSOEvaluator measures unmixing models"
                )
            grids = output["grid"].detach().float().cpu().numpy()
            points, scores = output.get("points"), output.get("scores")
            for place, (number, grid) in enumerate(
                zip(output["frames"].tolist(), grids, strict=True)
            ):
                frame = (trajectory, number)
                if frame not in self._truth:
                    self._outside += 1
                    continue
                if frame in self._found["cso"]:
                    self._repeated += 1
                    continue
                own = None if points is None else points[place].detach().double().cpu().numpy()
                if own is not None and scores is not None:
                    own = np.column_stack([own[:, :2], scores[place].detach().double().cpu()])
                if not (np.isfinite(grid).all() and (own is None or np.isfinite(own).all())):
                    raise DetectionError(
                        f"trajectory {trajectory}, frame {number}: the prediction has NaN or "
                        "infinite numbers; the model diverged"
                    )
                self._found["cso"][frame] = grid_detections(
                    grid, threshold=self._threshold, factor=self._factor
                )
                if own is not None:
                    self._found["cso_subpixel"][frame] = own

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Measure what was processed; ``{}`` on all processes but the main one.

        Raises:
            UserError: frames of the data set were not predicted, or only some have points.
        """
        found, repeated, outside = self._found, self._repeated, self._outside
        if self._distributed:
            comm.synchronize()
            parts = comm.gather((found, repeated, outside), dst=0)
            if not comm.is_main_process():
                return {}
            found, repeated, outside = _joined(parts)
        if repeated:
            logger.warning("%d frames were predicted twice: the first counts", repeated)
        if outside:
            logger.warning(
                "%d predicted frames are not measured: %s has no such trajectory, or no window of "
                "%d around them",
                *(outside, self._name, self._window),
            )
        frames = sorted(self._truth)
        self._check_complete(frames, found)
        truth = [self._truth[frame] for frame in frames]
        results, counts = {}, {}
        for task, own in found.items():
            if own:
                values = cso_map([own[frame] for frame in frames], truth, thresholds=THRESHOLDS)
                results[task] = {key: 100 * value for key, value in values.items()}
                counts[task] = sum(map(len, own.values()))
        text = self._text(results, counts, len(frames), sum(map(len, truth)))
        brief = [line for line in text.splitlines() if not line.startswith("copypaste")]
        logger.info("%s", text, extra={BRIEF: "\n".join(brief)})
        if self._output_dir:
            self._save(
                {
                    "dataset": self._name,
                    "metric": "CSO-mAP: nearest target only, area under the precision, percent",
                    "distances": list(THRESHOLDS),
                    "threshold": self._threshold,
                    "window": self._window,
                    "frames": len(frames),
                    "targets": sum(map(len, truth)),
                    "detections": counts,
                    "predicted_twice": repeated,
                    "not_measured": outside,
                    **results,
                }
            )
        return results

    def _check_complete(
        self, frames: Sequence[Frame], found: dict[str, dict[Frame, np.ndarray]]
    ) -> None:
        for task, own in found.items():
            missing = [frame for frame in frames if frame not in own]
            if missing and (own or task == "cso"):
                trajectory, number = missing[0]
                raise UserError(
                    f"{self._name}: {len(missing)} of {len(frames)} frames have no prediction for "
                    f"{task!r}, first frame {number} of trajectory {trajectory}; run the model "
                    f"over the whole data set, with a window of {self._window}"
                )

    def _text(self, results, counts: dict[str, int], frames: int, targets: int) -> str:
        """The title, a table a metric and lines to copy, for print_csv_format drops CSO-mAP."""
        lines = [f"{self._name}: {frames} frames, {targets} targets, in percent"]
        for task, values in results.items():
            lines.append(f"{task}: {TASKS[task]} ({counts[task]} detections)")
            row = [values.values()]
            lines.append(
                tabulate(row, list(values), tablefmt="pipe", floatfmt=".3f", numalign="center")
            )
            lines.append(f"copypaste: Task: {task}")
            lines.append(f"copypaste: {','.join(values)}")
            lines.append(f"copypaste: {','.join(f'{value:.4f}' for value in values.values())}")
        return "\n".join(lines)

    def _save(self, record: dict[str, object]) -> None:
        path = Path(os.fspath(self._output_dir or "")) / RESULTS_FILE
        write_json(path, record, indent=1)


def _read_truth(name: str, window: int) -> dict[Frame, np.ndarray]:
    """(K, 2) float64 of each frame that is measured."""
    truth: dict[Frame, np.ndarray] = {}
    for record in DatasetCatalog.get(name):
        trajectory = int(record["trajectory_id"])
        positions = np.asarray(record["positions"], np.float64)
        where = f"{name}: trajectory {trajectory} ({record.get('file_name', 'no file')})"
        if len(positions) < window:
            raise DatasetError(
                f"{where} has {len(positions)} frames, a window {window}; leave it out or choose "
                "a shorter window"
            )
        for number in range(window // 2, len(positions) - window // 2):
            if (trajectory, number) in truth:
                raise DatasetError(f"{where}: its id stands twice; number trajectories anew")
            truth[trajectory, number] = positions[number].reshape(-1, 2)
    if not sum(map(len, truth.values())):
        raise DatasetError(f"{name} has no targets; there is nothing to measure on")
    return truth


def _joined(parts) -> tuple[dict[str, dict[Frame, np.ndarray]], int, int]:
    """What all processes found, each frame as it came first.

    Samplers that pad the shares of the processes to one length give some trajectories twice.
    """
    found: dict[str, dict[Frame, np.ndarray]] = {task: {} for task in TASKS}
    repeated = sum(part[1] for part in parts)
    for own, _, _ in parts:
        repeated += len(own["cso"].keys() & found["cso"].keys())
        for task in TASKS:
            found[task] = own[task] | found[task]
    return found, repeated, sum(part[2] for part in parts)
