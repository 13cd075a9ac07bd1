"""Where a training starts: anew, or from which checkpoint, and whose learning rate holds then."""

import logging
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from d2freq.engine.config import Config, YamlConfig
from d2freq.engine.weights.folder import MARKER, checkpoints, clear
from d2freq.errors import UserError

logger = logging.getLogger(__name__)

__all__ = ["ConfiguredOptions", "check_folder", "not_its_optimizer", "say_start", "start_anew"]

# what a group of parameters has of the config, beside its rate
OPTIONS = ("weight_decay", "momentum", "dampening", "nesterov", "betas", "eps")


def check_folder(folder: str, *, resume: bool, overwrite: bool, trains: bool = True) -> None:
    """Raise UserError for an output folder that is a file, or that a new run would spoil.

    Args:
        trains: checkpoints will be written; an evaluation writes none.
    """
    if "://" in folder:
        return
    path = Path(folder)
    taken = next((p for p in (path, *path.parents) if p.exists() and not p.is_dir()), None)
    if taken:
        raise UserError(f"OUTPUT_DIR {folder}: {taken} is a file, not a folder; name another")
    if resume and overwrite:
        raise UserError("--resume goes on and --overwrite starts anew: say one of them")
    if not trains or resume or overwrite:
        return
    found = checkpoints(path)
    if found or (path / MARKER).exists():
        name = found[0].name if found else MARKER
        raise UserError(
            f"OUTPUT_DIR {folder} holds a former training ({name}), which a new one would "
            "overwrite: --resume goes on with it, --overwrite deletes it and starts anew, another "
            "OUTPUT_DIR keeps both"
        )


def start_anew(folder: str, *, weights: str) -> None:
    """Delete a former training's checkpoints and metrics; ``weights`` stay.

    For --overwrite, and for a dry run in its own folder.
    """
    for draft in Path(folder).glob(".*.draft") if "://" not in folder else ():
        draft.unlink(missing_ok=True)  # of a process that was killed while it wrote
    gone = clear(folder, keep=weights)
    if gone:
        logger.warning("%d files of a former training are deleted from %s", len(gone), folder)


def say_start(config: Config, *, resume: bool, checkpoint: str, start: int) -> None:
    """Log in one line what a training begins with, where --resume was said."""
    if not resume:
        return
    if not checkpoint:
        logger.warning(
            "--resume: %s holds no checkpoint to go on from, so training starts anew, at iteration "
            "0 with %s",
            config.output_dir,
            config.weights or "random weights",
        )
    elif start >= config.max_iter:
        logger.warning(
            "--resume: %s is trained to the end already (%d of %d iterations): nothing is "
            "trained, it is measured again; a larger number of iterations goes on",
            *(checkpoint, start, config.max_iter),
        )
    else:
        logger.info("--resume: %s goes on at iteration %d", checkpoint, start)


class ConfiguredOptions:
    """Rates and options that the config asks for; a checkpoint's optimizer brings its own.

    To be made before the checkpoint is loaded.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._wanted = [self._of(group) for group in optimizer.param_groups]

    def settle(self, config: Config, *, reset: bool, schedule: Any = None) -> None:
        """Where the two differ: take the config's with ``reset``, else say that it does not hold.

        Args:
            schedule: a scheduler of torch that has the rates, too.
        """
        groups = self._optimizer.param_groups
        pairs = [
            (wanted, self._of(group)) for wanted, group in zip(self._wanted, groups, strict=False)
        ]
        differing = [
            (name, wanted[name], held[name])
            for wanted, held in pairs
            for name in wanted
            if name in held and wanted[name] != held[name]
        ]
        if not differing:
            return
        if not reset:
            name, wanted, held = differing[0]
            key = _key(name, config)
            logger.warning(
                "%s: the config asks for %s, but the checkpoint goes on with %s, which holds; "
                "--reset-lr takes the config's",
                *(key, wanted, held),
            )
            return
        for wanted, group in zip(self._wanted, groups, strict=False):
            factor = group["lr"] / group["initial_lr"] if group.get("initial_lr") else 1.0
            group.update({name: value for name, value in wanted.items() if name != "lr"})
            group["initial_lr"], group["lr"] = wanted["lr"], wanted["lr"] * factor
        if schedule is not None:
            schedule.base_lrs = [wanted["lr"] for wanted in self._wanted]
        logger.info("--reset-lr: the config's learning rate and options of the optimizer hold")

    @staticmethod
    def _of(group: dict[str, Any]) -> dict[str, Any]:
        found = {name: group[name] for name in OPTIONS if name in group}
        return {"lr": group.get("initial_lr", group["lr"]), **found}


def _key(name: str, config: Config) -> str:
    """Where a config has an option of the optimizer."""
    if not isinstance(config, YamlConfig):
        return f"optimizer.{name}"
    return "SOLVER.BASE_LR" if name == "lr" else f"SOLVER.{name.upper()}"


def not_its_optimizer(error: ValueError, checkpoint: str) -> UserError:
    """The error for a checkpoint whose optimizer has other groups of parameters."""
    return UserError(
        f"checkpoint {checkpoint} cannot be gone on from: {error}. Its optimizer is another one "
        "than the config's: resume with the config that it was trained with, or take its weights "
        "alone (MODEL.WEIGHTS or train.init_checkpoint) for a training in another OUTPUT_DIR"
    )
