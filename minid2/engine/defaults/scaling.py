"""Fit a schedule that was made for some number of processes to another number."""

from __future__ import annotations

import logging

from ...config import CfgNode


def auto_scale_workers(cfg: CfgNode, num_workers: int) -> CfgNode:
    """Keep the batch of each process as it is when their number changes.

    With ``SOLVER.REFERENCE_WORLD_SIZE`` processes the config holds as it stands; 0 switches this
    off. With k times as many, the total batch and the learning rate grow by k, and iterations,
    steps, warm-up and periods shrink by k: as many images, and the same rate for each.

    Args:
        cfg: is not changed.
        num_workers: processes in use.

    Returns:
        ``cfg`` itself if nothing changes, else a new config, frozen if ``cfg`` is, whose
        reference is ``num_workers``.
    """
    reference = cfg.SOLVER.REFERENCE_WORLD_SIZE
    if reference in (0, num_workers):
        return cfg
    if cfg.SOLVER.IMS_PER_BATCH % reference:
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH ({cfg.SOLVER.IMS_PER_BATCH}) is not divisible by "
            f"SOLVER.REFERENCE_WORLD_SIZE ({reference})."
        )
    growth = num_workers / reference

    def shrunk(iterations: int) -> int:
        return round(iterations / growth)

    scaled = cfg.clone()
    scaled.defrost()
    solver, test = scaled.SOLVER, scaled.TEST
    solver.IMS_PER_BATCH = round(solver.IMS_PER_BATCH * growth)
    solver.BASE_LR = solver.BASE_LR * growth
    solver.MAX_ITER = shrunk(solver.MAX_ITER)
    solver.WARMUP_ITERS = shrunk(solver.WARMUP_ITERS)
    solver.STEPS = tuple(shrunk(step) for step in solver.STEPS)
    solver.CHECKPOINT_PERIOD = shrunk(solver.CHECKPOINT_PERIOD)
    solver.REFERENCE_WORLD_SIZE = num_workers
    test.EVAL_PERIOD = shrunk(test.EVAL_PERIOD)
    logging.getLogger(__name__).info(
        "Auto-scaling the config to batch_size=%d, learning_rate=%s, max_iter=%d, warmup=%d.",
        solver.IMS_PER_BATCH,
        solver.BASE_LR,
        solver.MAX_ITER,
        solver.WARMUP_ITERS,
    )
    if cfg.is_frozen():
        scaled.freeze()
    return scaled
