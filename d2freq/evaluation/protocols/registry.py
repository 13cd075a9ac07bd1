"""The protocols by name, and how to add one; each benchmark's stands in a file of its name.

One of your own is a call, ``register(Protocol(name="mine", source="our paper",
areas=(AreaRange("t", 0, 256),), max_dets=(100, 1000)))``, or a YAML file of the same keys, whose
path then stands for the name (see from_yaml.load_protocol).
"""

import os

from d2freq.errors import UserError
from d2freq.evaluation.protocols.from_yaml import load_protocol
from d2freq.evaluation.protocols.protocol import Protocol
from d2freq.utils.choices import did_you_mean

__all__ = ["PROTOCOLS", "get_protocol", "register"]

PROTOCOLS: dict[str, Protocol] = {}


def register(protocol: Protocol) -> Protocol:
    """Make a protocol known by its name.

    Raises:
        UserError: the name is taken.

    Examples:
        >>> from d2freq.evaluation import AreaRange, Protocol, get_protocol, register
        >>> seagulls = register(
        ...     Protocol("seagulls", "our paper", areas=(AreaRange("t", 0, 256),), max_dets=(100,))
        ... )
        >>> get_protocol("seagulls") is seagulls
        True
    """
    if protocol.name in PROTOCOLS:
        raise UserError(f"protocol {protocol.name!r} is registered already; choose another name")
    PROTOCOLS[protocol.name] = protocol
    return protocol


def get_protocol(name: str | os.PathLike | Protocol) -> Protocol:
    """The protocol of that name, or in that YAML file.

    Args:
        name: a registered name, or a path that ends in .yaml or .yml.

    Raises:
        UserError: there is none; the message lists those that there are. Or the file is faulty.

    Examples:
        >>> from d2freq.evaluation import get_protocol
        >>> [(area.label, area.high) for area in get_protocol("aitod").areas]
        [('vt', 64.0), ('t', 256.0), ('s', 1024.0), ('m', 10000000000.0)]
    """
    if isinstance(name, Protocol):
        return name
    if str(name).endswith((".yaml", ".yml")):
        return load_protocol(name)
    if name not in PROTOCOLS:
        hint = did_you_mean(str(name), PROTOCOLS) or f"; known: {', '.join(sorted(PROTOCOLS))}."
        raise UserError(
            f"TEST.TINY.PROTOCOL, --protocol: no evaluation protocol {name!r}{hint} A .yaml file "
            "of one's own will do, too"
        )
    return PROTOCOLS[str(name)]
