"""Average the losses of all processes, check them, and store them as scalars."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..utils import comm
from ..utils.events import get_event_storage


def write_metrics(
    loss_dict: Mapping[str, torch.Tensor],
    data_time: float,
    cur_iter: int,
    prefix: str = "",
) -> None:
    """Store ``total_loss``, each loss and the loading times of one iteration.

    Every process has to call it; the main one stores.

    Args:
        loss_dict: scalar losses by name.
        data_time: seconds this process waited for its batch.
        cur_iter: the iteration that they belong to.
        prefix: put before the name ``total_loss``.

    Raises:
        FloatingPointError: on the main process, if the sum of losses is infinite or NaN.
    """
    own = _to_floats(loss_dict)
    gathered = comm.gather((own, data_time))
    if not comm.is_main_process():
        return

    storage = get_event_storage()
    storage.put_scalar("rank_data_time", data_time, cur_iter=cur_iter)
    # The slowest loader decides how long all of them wait.
    storage.put_scalar("data_time", max(seconds for _, seconds in gathered), cur_iter=cur_iter)

    averages = {name: float(np.mean([losses[name] for losses, _ in gathered])) for name in own}
    total = sum(averages.values())
    if not np.isfinite(total):
        raise FloatingPointError(
            f"Loss became infinite or NaN at iteration={cur_iter}!\nloss_dict = {averages}"
        )
    storage.put_scalar(f"{prefix}total_loss", total, cur_iter=cur_iter)
    if len(averages) > 1:  # a single loss is the total
        for name, average in averages.items():
            storage.put_scalar(name, average, cur_iter=cur_iter)


def _to_floats(losses: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """All losses in one copy from the device, hence with one wait for it."""
    values = [loss.detach().reshape(()) for loss in losses.values()]
    on_one_device = torch.stack([value.to(values[0].device) for value in values])
    return dict(zip(losses, on_one_device.tolist(), strict=True))
