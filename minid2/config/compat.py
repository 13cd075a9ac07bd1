"""Config versions. Only the current one, 2, is known here."""

from .config import LATEST_VERSION, CfgNode

__all__ = ["downgrade_config", "upgrade_config"]


def upgrade_config(cfg: CfgNode, to_version: int | None = None) -> CfgNode:
    """A copy of a config of version 2; NotImplementedError for any other version."""
    return _same_version(cfg, LATEST_VERSION if to_version is None else to_version)


def downgrade_config(cfg: CfgNode, to_version: int) -> CfgNode:
    """A copy of a config of version 2; NotImplementedError for any other version."""
    return _same_version(cfg, to_version)


def _same_version(cfg: CfgNode, to_version: int) -> CfgNode:
    if cfg.VERSION != LATEST_VERSION or to_version != LATEST_VERSION:
        raise NotImplementedError(
            f"config VERSION {cfg.VERSION} to {to_version}: minid2 knows version {LATEST_VERSION} "
            "only; the real Detectron2 converts older ones"
        )
    return cfg.clone()
