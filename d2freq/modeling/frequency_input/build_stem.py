"""The stem that MODEL.FREQ_INPUT describes."""

import logging
from typing import Any

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec

from d2freq.errors import UserError
from d2freq.modeling.backbones.frozen_stats_norm import FROZEN_STATS
from d2freq.modeling.frequency_input.channels import select_channels
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.frequency_input.control_stems import LearnedStem, UnshuffleStem
from d2freq.modeling.frequency_input.dct_stem import DCTStem, get_geometry
from d2freq.modeling.frequency_input.gate import ChannelGate
from d2freq.modeling.frequency_input.input_stem import FixedStem, InputStem
from d2freq.modeling.frequency_input.projection import FrequencyStem, Projection
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys

logger = logging.getLogger(__name__)

__all__ = ["build_stem", "build_transform", "describe_stem"]

STEMS = ("dct", "unshuffle", "random", "learned")
ALL = "all"  # in the place of the channels' numbers
ENTRIES = ("direct", "conv", "shuffle")


def build_stem(
    cfg: CfgNode, input_shape: ShapeSpec, *, stride: int = 4, channels: int = 64, norm: str = "BN"
) -> InputStem:
    """The transform alone, or with the gate and the projection of ENTRY behind it.

    Args:
        stride: of the RGB layers that the stem stands for, which ENTRY "shuffle" goes back to.
        channels: of theirs, which the projection makes.
        norm: of the network, as Detectron2's ``get_norm`` takes it.

    Raises:
        UserError: images of other than three channels, a wrong key, statistics of another channel
            set, or an ENTRY that does not fit the stride.
    """
    if input_shape.channels != 3:
        raise UserError(
            f"the frequency input takes images of 3 channels, not {input_shape.channels}; "
            "MODEL.PIXEL_MEAN has one number a channel, grey images are read as INPUT.FORMAT RGB"
        )
    keys = own_keys(cfg, "MODEL.FREQ_INPUT", freq_input_keys())
    choice(keys.ENTRY, ENTRIES, key="MODEL.FREQ_INPUT.ENTRY")
    if any(value != 128 for value in cfg.MODEL.PIXEL_MEAN):
        logger.warning(
            "MODEL.PIXEL_MEAN is not 128: images are padded with that colour instead of mid-grey, "
            "whose coefficients are zero"
        )
    transform = build_transform(cfg)
    _check_measured(keys, transform)
    gate, projection = None, None
    if keys.GATE.ENABLED:
        gate = ChannelGate(
            transform.out_channels,
            temperature=keys.GATE.TEMPERATURE,
            pooling=keys.GATE.POOLING,
            penalty=keys.GATE.PENALTY,
            target=keys.GATE.TARGET or None,
            weight=keys.GATE.WEIGHT,
            norm=keys.GATE.NORM,
        )
    if keys.ENTRY != "direct":
        upsample = transform.stride // stride if keys.ENTRY == "shuffle" else 1
        if keys.ENTRY == "shuffle" and upsample < 2:
            raise UserError(
                f"MODEL.FREQ_INPUT.ENTRY 'shuffle' is for channels of a stride above {stride}; "
                f"those of MODE {keys.MODE!r} have {transform.stride}: take ENTRY conv or direct"
            )
        # a frozen norm without statistics would do nothing
        own_norm = "" if norm in ("FrozenBN", FROZEN_STATS) else norm
        projection = Projection(transform.out_channels, channels, upsample=upsample, norm=own_norm)
    if gate is None and projection is None:
        return transform
    return FrequencyStem(transform, gate=gate, projection=projection)


def describe_stem(stem: FixedStem) -> str:
    """What statistics have to be of to fit a stem, for MODEL.FREQ_INPUT.MEASURED_FOR."""
    if not isinstance(stem, DCTStem):
        return f"unshuffle {stem.channels}" if isinstance(stem, UnshuffleStem) else ""
    if stem.channels == list(range(_count(stem.mode))):
        return _of_all(stem)
    name = _of_all(stem).removesuffix(ALL)
    return f"{name}{','.join(map(str, stem.channels))}"


def build_transform(cfg: CfgNode) -> InputStem:
    """From pixels to channels, without a look at what the statistics were measured for."""
    keys = own_keys(cfg, "MODEL.FREQ_INPUT", freq_input_keys())
    channels = keys.CHANNELS
    if isinstance(channels, int):  # a config turns "24" into the number
        channels = str(channels)
    if choice(keys.STEM, STEMS, key="MODEL.FREQ_INPUT.STEM") == "learned":
        count = 64 if channels is None else channels
        if not (isinstance(count, int) or str(count).isdigit()) or int(count) < 1:
            raise UserError(
                "MODEL.FREQ_INPUT.CHANNELS of STEM 'learned' is how many there are, not "
                f"{channels!r}"
            )
        return LearnedStem(mode=keys.MODE, out_channels=int(count))
    options: dict[str, Any] = {
        "input_format": cfg.INPUT.FORMAT,
        "pixel_mean": cfg.MODEL.PIXEL_MEAN,
        "pixel_std": cfg.MODEL.PIXEL_STD,
        "mean": list(keys.MEAN) or None,
        "std": list(keys.STD) or None,
    }
    if keys.STEM in ("dct", "random"):
        if channels is None:
            channels = "all" if keys.MODE == "4x4" else "24"
        seed = keys.SEED if keys.STEM == "random" else None
        if keys.MEASURED_FOR.endswith(f" {ALL}"):
            numbers = select_channels(channels, points=get_geometry(keys.MODE).points)
            for name in ("mean", "std"):
                if options[name] and len(options[name]) == _count(keys.MODE):
                    options[name] = [options[name][number] for number in numbers]
        return DCTStem(mode=keys.MODE, channels=channels, rotation_seed=seed, **options)
    if keys.MODE != "4x4":
        raise UserError(
            "MODEL.FREQ_INPUT.STEM 'unshuffle' takes cells of 4 x 4 pixels: MODE 4x4, not "
            f"{keys.MODE!r}"
        )
    return UnshuffleStem(channels=channels or "all", **options)


def _check_measured(keys: CfgNode, stem: InputStem) -> None:
    """Statistics are there, and of this stem."""
    cure = "d2freq dct-statistics measures them on a data set"
    if not isinstance(stem, FixedStem):
        if len(keys.MEAN) or len(keys.STD):
            raise UserError("MODEL.FREQ_INPUT.MEAN and STD: STEM 'learned' takes no statistics")
        return
    if not len(keys.MEAN) or not len(keys.STD):
        logger.warning(
            "MODEL.FREQ_INPUT.MEAN or STD is empty: channels are not normalised, though their "
            "deviations differ by far; %s",
            cure,
        )
    ours = describe_stem(stem)
    fitting = ["", ours, *([_of_all(stem)] if isinstance(stem, DCTStem) else [])]
    if keys.MEASURED_FOR not in fitting:
        raise UserError(
            f"MODEL.FREQ_INPUT: MEAN and STD are of the channels {keys.MEASURED_FOR!r}, the stem "
            f"has {ours!r}; {cure}"
        )


def _of_all(stem: DCTStem) -> str:
    """What statistics of all channels of a stem's kind are of: each choice takes its own."""
    name = "dct" if stem.rotation_seed is None else f"random seed {stem.rotation_seed}"
    return f"{name} {stem.mode} {ALL}"


def _count(mode: str) -> int:
    """How many channels a mode has."""
    return 3 * get_geometry(mode).points ** 2
