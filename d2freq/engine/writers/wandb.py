"""Metrics to Weights & Biases."""

import logging
import netrc
import os
import secrets
from typing import Any
from urllib.parse import urlparse

from d2freq.engine.writers.scalars import ScalarWriter
from d2freq.utils.choices import choice

__all__ = ["WandbWriter"]

logger = logging.getLogger(__name__)

SERVER = "https://api.wandb.ai"
MODES = ("", "online", "offline", "disabled")


class WandbWriter(ScalarWriter):
    """One run of wandb for an output folder; ``--resume`` goes on with the same one.

    Where the server cannot be reached, or nobody is logged in, the run is kept offline in the
    folder ``wandb``, which ``wandb sync`` sends later. Training does not wait for it.

    Args:
        output_dir: folder of the run.
        project: of wandb.
        name: of the run; "" for the folder's.
        mode: "online", "offline", "disabled", or "" for what WANDB_MODE says.

    Raises:
        UserError: another mode.
    """

    def __init__(
        self, output_dir: str, *, project: str = "d2freq", name: str = "", mode: str = ""
    ) -> None:
        super().__init__()
        choice(mode, MODES, key="WANDB.MODE")
        self._folder = os.path.abspath(output_dir)
        self._options: dict[str, Any] = {
            "project": project,
            "name": name or os.path.basename(self._folder),
            "dir": self._folder,
        }
        self._mode = mode or os.environ.get("WANDB_MODE", "")
        self._run: Any = None

    def log(self, iteration: int, scalars: dict[str, float]) -> None:
        if self._run is None:
            self._run = self._start()
        self._run.log(scalars, step=iteration)

    def close(self) -> None:
        """End the run; what is not sent yet is sent, or kept."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _start(self) -> Any:
        import wandb  # takes seconds, and is no requirement

        os.makedirs(self._folder, exist_ok=True)
        options = {**self._options, "id": self._run_id(), "resume": "allow"}
        if self._mode:
            return wandb.init(mode=self._mode, **options)
        if not _logged_in():
            logger.warning(
                "wandb: nobody is logged in (wandb login, or WANDB_API_KEY): the run is kept in "
                "%s, and wandb sync sends it later",
                os.path.join(self._folder, "wandb"),
            )
            return wandb.init(mode="offline", **options)
        try:
            return wandb.init(**options)
        except wandb.errors.CommError as error:
            logger.warning("wandb cannot be reached (%s): the run is kept offline", error)
            return wandb.init(mode="offline", **options)

    def _run_id(self) -> str:
        """Of this folder: kept in a file, so that a resumed training goes on with its run."""
        path = os.path.join(self._folder, "wandb_id.txt")
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                known = file.read().strip()
            if known:
                return known
        new = secrets.token_hex(4)
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
        return new


def _logged_in() -> bool:
    """Whether there is a key to wandb's server, where ``wandb login`` puts one or in the variable.

    wandb itself would ask on the terminal, which a job has none of.
    """
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL") or SERVER).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC") or None).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
