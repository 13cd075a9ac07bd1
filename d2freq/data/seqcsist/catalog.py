"""SeqCSIST under its names: registered when d2freq is imported, found when used.

``seqcsist`` is the data set of the paper, ``seqcsist_small`` 1,100 trajectories for a CPU,
``seqcsist_dense`` has 2 to 8 targets (Table 6), and ``seqcsist_mixed`` backgrounds (Table 4's mix
of synthetic targets and real scenes). Each has the splits ``_train``, ``_val`` and ``_test``, in a
folder of its name under ``$DETECTRON2_DATASETS``: ``train.npz`` and so on as written by
``d2freq generate seqcsist``, or the authors' folders of PNG and XML in ``track_5000_20``.
"""

import logging
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.catalog import Metadata
from torch import Tensor

from d2freq.data.catalog import VARIABLE, dataset_root
from d2freq.data.seqcsist.files import Split, read_arrays, read_split
from d2freq.data.seqcsist.grid import count_collided
from d2freq.data.seqcsist.published import published_info, read_published
from d2freq.data.seqcsist.q_init_file import cached, check_q_init, file_name, read_q_init
from d2freq.data.seqcsist.rules import Rules
from d2freq.errors import DatasetError, UserError
from d2freq.utils.numbers import in_range

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
COMMANDS = {  # by folder: what writes it
    "seqcsist": "d2freq generate seqcsist",
    "seqcsist_small": "d2freq generate seqcsist --train 1000 --val 50 --test 50 --output {}",
    "seqcsist_dense": "d2freq generate seqcsist --targets 2 8 --output {}",
    "seqcsist_mixed": "d2freq generate seqcsist --background clutter --output {}",
}
FACTOR = 3  # grid cells per pixel and axis, DeRefNet, section 5.1


@dataclass(frozen=True)
class SequenceSource:
    """Where a split lies: under the first of these names that exists.

    Attributes:
        names: .npz files and published folders, absolute or under the root of all data sets.
        train_names: the same of the training split, which Q_init is computed from.
        command: what writes it.
    """

    names: tuple[str, ...]
    train_names: tuple[str, ...]
    command: str


class SequenceMetadata(Metadata):
    """Detectron2's metadata, with what the split itself says looked up each time.

    ``file`` is the split's .npz or folder, ``q_init`` the file of its matrix (computed at need:
    :func:`load_q_init`), ``size`` and ``sigma`` those of its frames (the paper's where it is not
    there yet), ``intensity`` the range of its targets.
    """

    source: SequenceSource

    @property
    def file(self) -> str:
        """Path of the split."""
        return str(_first(self.source.names))

    @property
    def q_init(self) -> str:
        """Path where the matrix from frames to the grid is kept."""
        train = _first(self.source.train_names)
        folder = train if train.is_dir() else train.parent
        return str(folder / file_name(self.factor))

    @property
    def size(self) -> int:
        """Pixels a side."""
        return int(_info(_first(self.source.names)).get("size", Rules.size))

    @property
    def sigma(self) -> float:
        """Standard deviation of the optics in pixels."""
        return float(_info(_first(self.source.names)).get("sigma", Rules.sigma))

    @property
    def intensity(self) -> tuple[float, ...]:
        """Least and largest intensity of a target in grey levels; () where the split is silent."""
        return tuple(_info(_first(self.source.names)).get("intensity", ()))

    def as_dict(self) -> dict:
        """All attributes in a new dict, those that are looked up included."""
        looked_up = ("file", "q_init", "size", "sigma", "intensity")
        return {key: getattr(self, key) for key in looked_up} | super().as_dict()


def register_sequences() -> None:
    """Register every name that nobody has registered yet."""
    for folder, command in COMMANDS.items():
        names = {s: (f"{folder}/{s}.npz", f"{folder}/track_5000_20/{s}") for s in SPLITS}
        for split in SPLITS:
            if f"{folder}_{split}" not in DatasetCatalog.list():
                source = SequenceSource(names[split], names["train"], command)
                _register(f"{folder}_{split}", source)


def register_seqcsist(
    name: str, path: str | os.PathLike, *, train: str | os.PathLike | None = None
) -> None:
    """Register a split of your own; nothing is read before it is used.

    Args:
        name: a new name, for ``DATASETS.TRAIN`` and ``DATASETS.TEST``.
        path: a file of ``d2freq generate seqcsist``, or a split folder in the published layout.
        train: the training split that Q_init is computed from; without it, the one beside ``path``.

    Raises:
        UserError: the name belongs to another split.
    """
    own = Path(os.path.abspath(path))
    beside = own.with_name("train.npz" if own.suffix == ".npz" else "train")
    train_path = os.path.abspath(beside if train is None else train)
    command = "d2freq generate seqcsist --output {}"
    source = SequenceSource((str(own),), (train_path,), command)
    if name in DatasetCatalog.list():
        if MetadataCatalog.get(name).get("source") != source:
            raise UserError(f"data set {name!r} is registered already; choose another name")
        return
    _register(name, source)


def load_q_init(
    dataset: str | os.PathLike,
    *,
    size: int | None = None,
    factor: int | None = None,
    ridge: float = 0.0,
) -> Tensor:
    """Q_init of a data set, or from a file.

    Args:
        dataset: name of any of its splits: the matrix of the training split is read from beside it,
            or computed and kept there. Or the path of a matrix (.npz, .npy, published .mat).
        size: pixels a side that are expected; without it the split's own, or the file's.
        factor: grid cells per pixel and axis that are expected; as for ``size``.
        ridge: of the fit, see :mod:`d2freq.data.seqcsist.q_init_fit`; a file stays as it is.

    Returns:
        (g*g, m*m) float64; for rows of flattened frames y the start is ``y @ Q.T``.

    Raises:
        UserError: a ridge below 0, or NaN.
        DatasetError: the split or the file is missing, or the matrix does not fit.
    """
    what = "share of the mean eigenvalue; 0 is published, 1e-4 is for noise"
    in_range(ridge, 0, 1e6, key="MODEL.UNMIXING.Q_INIT_RIDGE is", what=what)
    name = os.fspath(dataset)
    metadata = MetadataCatalog.get(name) if name in DatasetCatalog.list() else None
    if not isinstance(metadata, SequenceMetadata):
        matrix = read_q_init(name)
    else:
        train = _find(metadata.source.train_names, name, metadata.source)
        info = _info(train)
        factor = metadata.factor if factor is None else factor
        matrix = cached(
            Path(metadata.q_init).with_name(file_name(factor, ridge)),
            lambda: _read(train).records(train),
            made_from=info,
            size=info["size"],
            factor=factor,
            sigma=info["sigma"],
            ridge=ridge,
        )
    if size is not None or factor is not None:
        side = round(matrix.shape[1] ** 0.5) if size is None else size
        cells = round(matrix.shape[0] ** 0.5 / side) if factor is None else factor
        check_q_init(matrix, name, size=side, factor=cells)
    return matrix


def _register(name: str, source: SequenceSource) -> None:
    DatasetCatalog.register(name, partial(_load, name, source))
    metadata = SequenceMetadata(
        name=name, source=source, evaluator_type="seqcsist", factor=FACTOR, thing_classes=["target"]
    )
    metadata.set(**{k: v for k, v in MetadataCatalog.get(name).as_dict().items() if k != "name"})
    MetadataCatalog[name] = metadata


def _load(name: str, source: SequenceSource) -> list[dict]:
    path = _find(source.names, name, source)
    others = [other for other in map(_absolute, source.names) if other != path and other.exists()]
    if others:
        logger.warning("data set %s: took %s, there is also %s", name, path, others[0])
    split = _read(path)
    factor = MetadataCatalog.get(name).factor
    lost = sum(
        count_collided(torch.from_numpy(positions), size=split.info["size"], factor=factor)
        for positions in split.positions
    )
    logger.info(
        "data set %s: %d trajectories; %d of %d targets lose their grid cell to another target",
        *(name, len(split.frames), lost, sum(light.size for light in split.intensities)),
    )
    return split.records(path)


def _read(path: Path) -> Split:
    return read_published(path) if path.is_dir() else read_split(path)


def _info(path: Path) -> dict:
    """What a split says of itself, empty where there is none."""
    if not path.exists():
        return {}
    return published_info(path) if path.is_dir() else read_arrays(path)[0]


def _absolute(name: str) -> Path:
    return dataset_root() / name  # an absolute name stays as it is


def _first(names: tuple[str, ...]) -> Path:
    paths = [_absolute(name) for name in names]
    return next((path for path in paths if path.exists()), paths[0])


def _find(names: tuple[str, ...], name: str, source: SequenceSource) -> Path:
    path = _first(names)
    if not path.exists():
        command = source.command.format(path.parent)
        others = "".join(f", nor {_absolute(other)}" for other in names[1:])
        raise DatasetError(
            f"data set {name}: {path} not found{others}. '{command}' writes it. ${VARIABLE} sets "
            f"the root of all data sets (now: {dataset_root().absolute()})"
        )
    return path
