"""The configs of d2freq by name, as Detectron2's model_zoo has its own.

    from d2freq import model_zoo

    model_zoo.list_configs()[:2]
    cfg = model_zoo.get_config("hs_fpn/faster_rcnn_R50_HSFPN_aitod")  # CfgNode
    cfg = model_zoo.get_config("hs_fpn/faster_rcnn_R50_HSFPN_aitod.py")  # its lazy twin
    model = model_zoo.get("hs_fpn/faster_rcnn_R50_HSFPN_aitod", weights="output/model_final.pth")
    url = model_zoo.get_checkpoint_url("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml")

Names are paths below ``configs/``, in a source tree and in an installed wheel alike.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detectron2.config import LazyConfig
from torch import nn

from d2freq.engine.build import config_model
from d2freq.engine.config import load_config
from d2freq.engine.weights.addresses import STORAGE, ZOO_HOST, find_weights
from d2freq.errors import UserError
from d2freq.utils.config_names import BASES, config_names, configs_folder, find_config

__all__ = ["get", "get_checkpoint_url", "get_config", "get_config_file", "list_configs"]


def list_configs() -> list[str]:
    """The names of all configs that can be trained or measured, sorted.

    Example:
        >>> from d2freq import model_zoo
        >>> "demo/faster_rcnn_R18_HSFPN_scenes" in model_zoo.list_configs()
        True
    """
    return config_names()


def get_config_file(name: str) -> str:
    """The path of a config; bases too: ``_base_/faster_rcnn_R50_FPN.py``.

    Args:
        name: such as "hs_fpn/faster_rcnn_R50_HSFPN_aitod"; ``.py`` behind it asks for the lazy
            twin. A file of one's own stays as it is.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    return find_config(name)


def get_config(name: str, overrides: Sequence[str] = ()) -> Any:
    """A config, ready to be changed, trained, or built: CfgNode of YAML, DictConfig of a lazy one.

    The lazy bases are parts: ``get_config("_base_/faster_rcnn_R50_FPN.py").model``.

    Args:
        name: see :func:`get_config_file`.
        overrides: KEY VALUE words for YAML, key=value words for a lazy config.

    Raises:
        UserError: no such config, or an override is faulty.

    Example:
        >>> from d2freq import model_zoo
        >>> model_zoo.get_config("hs_fpn/faster_rcnn_R50_HSFPN_aitod").MODEL.BACKBONE.NAME
        'build_resnet_hsfpn_backbone'
    """
    file = Path(find_config(name))
    if file.suffix == ".py" and file.parent == configs_folder() / BASES:  # a part, not the whole
        return LazyConfig.apply_overrides(LazyConfig.load(str(file)), list(overrides))
    return load_config(name, overrides).cfg


def get(
    name: str, overrides: Sequence[str] = (), *, weights: str | None = None, device: str = "cpu"
) -> nn.Module:
    """The model of a config, in evaluation mode.

    Args:
        name, overrides: see :func:`get_config`.
        weights: a checkpoint; None leaves the initial weights, those that the config names too.
        device: where the model stands.

    Raises:
        UserError: the config is faulty, or the weights are missing or do not fit.
    """
    return config_model(name, overrides, weights=weights, device=device)


def get_checkpoint_url(name: str) -> str:
    """The address of weights that Detectron2 publishes, as its own model_zoo gives it.

    Args:
        name: of Detectron2's config, such as "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", or of a
            backbone, such as "ImageNetPretrained/MSRA/R-50". MODEL.WEIGHTS takes it as it is.

    Raises:
        UserError: Detectron2 publishes none of that name; d2freq's own configs have none either.

    Example:
        >>> from d2freq import model_zoo
        >>> model_zoo.get_checkpoint_url("COCO-Detection/retinanet_R_50_FPN_3x.yaml")
        'https://dl.fbaipublicfiles.com/detectron2/COCO-Detection/retinanet_R_50_FPN_3x/190397829/model_final_5bd44e.pkl'
    """
    address = find_weights(name, "get_checkpoint_url")
    if not address.startswith(STORAGE):
        raise UserError(f"get_checkpoint_url: {name!r} is no name of Detectron2's model zoo")
    return ZOO_HOST + address[len(STORAGE) :]
