"""A trained detector in Python: pictures in, boxes out.

Shape legend: H x W of a picture.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from d2freq.engine.build import build
from d2freq.engine.config import load_config
from d2freq.engine.config.device import check_device
from d2freq.engine.tasks.detection import classes_of
from d2freq.engine.training_data import TrainingData, known_names, read_training_data
from d2freq.errors import UserError
from d2freq.inference.about import about_model, check_pictures_fit, fitting_names
from d2freq.inference.engines.engine import Engine, ModelAbout
from d2freq.inference.engines.registry import FILE_ENGINES, TORCH, engine_of, load_engine
from d2freq.inference.engines.torch_engine import TorchEngine
from d2freq.inference.load import find_parts
from d2freq.inference.search import Choice
from d2freq.inference.searcher import Searcher, Settings, Stop
from d2freq.inference.sources.given import open_any
from d2freq.inference.tiling import Merging, TilePlan, choose_tiles
from d2freq.utils.choices import choice as one_of
from d2freq.utils.choices import did_you_mean
from d2freq.utils.jobs import stamp

__all__ = ["Detector"]


class Detector:
    """A detector for pictures of any size.

    Args:
        engine: what runs the model.
        data: what it was trained on, which ``tile="auto"`` goes by; None where nobody knows.
        files: that it was read from.

    Examples:
        >>> from d2freq.inference import Detector
        >>> detector = Detector.load("output/demo")  # doctest: +SKIP
        >>> found = detector("harbour.jpg", score=0.5)  # doctest: +SKIP
        >>> found.boxes, found.scores, found.labels  # doctest: +SKIP
    """

    def __init__(
        self, engine: Engine, *, data: TrainingData | None = None, files: Sequence[str] = ()
    ) -> None:
        self.engine = engine
        self.data = data
        self._files = tuple(files)

    @classmethod
    def load(
        cls,
        output_dir_or_config: str | os.PathLike | None = None,
        weights: str | os.PathLike | None = None,
        *,
        engine: str = "",
        device: str = "cpu",
        half: bool = False,
        overrides: Sequence[str] = (),
    ) -> "Detector":
        """A detector from a training's output folder, from a config and weights, or from a file.

        Args:
            output_dir_or_config: a folder, which is enough alone (config, class names and weights
                are found there), a YAML or lazy config, or a file that ``d2freq export`` wrote.
            weights: a checkpoint or such a folder; None takes the folder's best or last.
            engine: "torch", or another of ``d2freq export``; "" goes by the file.
            device: "cpu" or "cuda".
            half: see TorchEngine.
            overrides: KEY VALUE words for YAML, key=value words for a lazy config.

        Raises:
            UserError: a part is missing, config and weights do not fit, there is no such device,
                or an exported file is to be changed by ``half`` or ``overrides``.
        """
        one_of(engine or TORCH, (TORCH, *FILE_ENGINES), key="--engine")
        exported = weights if weights is not None else output_dir_or_config
        by_file = engine_of(exported) if exported is not None and not engine else engine
        if exported is not None and by_file not in ("", TORCH):
            if overrides:
                raise UserError(
                    f"{exported}: an exported file has no config that --opts could change; give "
                    "them to 'd2freq export', or search with config and weights"
                )
            if half:
                raise UserError(
                    f"{exported}: an exported file computes as it was written; leave out --half"
                )
            folder = exported if os.path.isdir(exported) else os.path.dirname(exported)
            file = load_engine(exported, engine=by_file, device=device)
            # a file that has gone elsewhere is to be given the same tiles
            data = file.trained_on or read_training_data(folder)
            return cls(file, data=data, files=[str(exported)])
        check_device(device, "--device")
        parts = find_parts(output_dir_or_config, weights)
        config = load_config(parts.config_file, overrides)
        found = parts.weights or config.weights
        if not found:
            raise UserError(
                f"{parts.config_file}: names no weights to search pictures with: --weights FILE"
            )
        model: Any = build(config, weights=found, device=device)
        model = getattr(model, "detector", model) if _is_set(model) else model
        data = parts.data or TrainingData()
        names = data.classes or known_names([*config.train_sets(), *config.test_sets()])
        names = fitting_names(names, classes_of(model), parts.config_file)
        about = about_model(config, model, names, picture=data.picture)
        check_pictures_fit(about, config.source)
        return cls(
            TorchEngine(model, about, device=device, half=half),
            data=parts.data,
            files=[parts.config_file, found],
        )

    @property
    def about(self) -> ModelAbout:
        """What the model wants and gives."""
        return self.engine.about

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, in the order of their numbers."""
        return tuple(self.about.names)

    def source_stamps(self) -> dict[str, list[int] | None]:
        """Time and size of each file that it was read from: others make other detections."""
        return {file: stamp(file) for file in self._files}

    def tiles(
        self,
        tile: str | tuple[int, int] = "auto",
        overlap: float | None = None,
        *,
        objects: tuple[float, float] | None = None,
    ) -> TilePlan:
        """How pictures would be cut, and why; see choose_tiles."""
        return choose_tiles(tile, overlap, about=self.about, data=self.data, objects=objects)

    def class_numbers(self, classes: str | int | Sequence[str | int] | None) -> list[int] | None:
        """Numbers of classes that are given by name or by number; None for None, all.

        Raises:
            UserError: the model has no such class, or none is given.
        """
        if classes is None:
            return None
        if isinstance(classes, str | int):
            classes = [classes]
        if not len(classes):
            raise UserError("--classes names no class; leave it out to take all")
        numbers = []
        for word in classes:
            known = word in self.names
            if not known and not str(word).isdigit():
                raise UserError(
                    f"--classes: the model knows no {word!r}{did_you_mean(str(word), self.names)}; "
                    f"it knows {', '.join(self.names)}"
                )
            number = self.names.index(str(word)) if known else int(word)
            if self.names and number >= len(self.names):
                raise UserError(
                    f"--classes: the model has classes 0 to {len(self.names) - 1}, no {number}"
                )
            numbers.append(number)
        return numbers

    def __call__(
        self,
        images: Any,
        *,
        channel_order: str = "RGB",
        score: float = 0.0,
        classes: str | int | Sequence[str | int] | None = None,
        tile: str | tuple[int, int] = "auto",
        overlap: float | None = None,
        merge: str = "nms",
        merge_iou: float = 0.5,
        batch: int = 4,
    ) -> Any:
        """What is found on a picture, or on each of a list of pictures.

        Args:
            images: a path, an array, a picture of Pillow, or a list of these. An array is
                (H, W, 3) or (H, W) uint8; for a model of INPUT.PIXELS (H, W) or (H, W, bands) in
                the files' numbers, of any type.
            channel_order: of arrays of three channels: "RGB", as Pillow, imageio and rasterio give
                them, or "BGR", as OpenCV's imread does. It has nothing to do with the order that
                the model was trained on, which the detector knows. Files and pictures of Pillow
                know their own order.
            score: the least that is given back; the model itself may drop higher ones, see
                ``about.score``.
            classes: a name or a number, or several; None takes all.
            tile, overlap: see choose_tiles.
            merge, merge_iou: how tiles are put together; see Merging.
            batch: tiles that run at once.

        Returns:
            Detections, best first, in pixels of the picture; a list of them for a list.

        Raises:
            UserError: another kind of array, a missing or unreadable file, an unknown word.
        """
        settings = Settings(
            self.tiles(tile, overlap),
            Merging(merge, merge_iou),
            Choice(score, self.class_numbers(classes)),
            batch,
        )
        one = not isinstance(images, list | tuple)
        searcher = Searcher(self.engine, settings)
        try:
            for number, image in enumerate([images] if one else images):
                for opened in open_any(image, channel_order, self.about.reader):
                    # one picture may be in the list twice
                    opened.picture = replace(opened.picture, name=str(number))
                    searcher.take(opened)
            searcher.finish()
        except Stop as stop:
            raise stop.reason from None
        found = [result.detections for result in searcher.found.results]
        return found[0] if one else found


def _is_set(model: Any) -> bool:
    from d2freq.modeling.set import SET

    return isinstance(model, SET)
