"""Keys of YAML configs and what lazy configs call them, for who gives one kind the other's key."""

__all__ = ["named_otherwise"]

# YAML -> lazy; d2freq's own switches follow the rule of d2freq.trainer_config.lazy_name
NAMES = {
    "OUTPUT_DIR": "train.output_dir",
    "SEED": "train.seed",
    "MODEL.DEVICE": "train.device",
    "MODEL.WEIGHTS": "train.init_checkpoint",
    "SOLVER.AMP.ENABLED": "train.amp.enabled",
    "SOLVER.BASE_LR": "optimizer.lr",
    "SOLVER.CHECKPOINT_PERIOD": "train.checkpointer.period",
    "SOLVER.IMS_PER_BATCH": "dataloader.train.total_batch_size",
    "SOLVER.MAX_ITER": "train.max_iter",
    "TEST.EVAL_PERIOD": "train.eval_period",
    "DATALOADER.NUM_WORKERS": "dataloader.train.num_workers",
    "DATASETS.TRAIN": "dataloader.train.dataset.names",
    "DATASETS.TEST": "dataloader.test.dataset.names",
}


def named_otherwise(key: str, *, lazy: bool) -> str:
    """A sentence with the key of this kind of config for one of the other kind; "" for others.

    Args:
        lazy: the config that was given the key is a lazy one.

    Examples:
        >>> from d2freq.engine.config.other_kind import named_otherwise
        >>> named_otherwise("OUTPUT_DIR", lazy=True)
        '; this is a lazy config, where it is train.output_dir=...'
    """
    if lazy and key in NAMES:
        return f"; this is a lazy config, where it is {NAMES[key]}=..."
    known = {ours: theirs for theirs, ours in NAMES.items()}
    if not lazy and key in known:
        return f"; this is a YAML config, where it is {known[key]} ..."
    return ""
