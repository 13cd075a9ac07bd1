"""Configuration keys of the generators of SRGAN, ESRGAN and BSRGAN."""

from detectron2.config import CfgNode as CN

__all__ = ["bsrgan_keys", "esrgan_keys", "srgan_keys"]


def srgan_keys() -> CN:
    """MODEL.SRGAN: SRGAN, a generator of residual blocks."""
    node = CN()
    # Channels of the generator. 64, as in Table 7.
    node.CHANNELS = 64
    # Its residual blocks. 16, as in Table 7.
    node.BLOCKS = 16
    # Weight of the adversarial loss; the squared error in grey levels has 1. 0, the default: there
    # is no discriminator. Above 0 one of 13.7 M weights is trained beside the generator.
    node.ADVERSARIAL_WEIGHT = 0.0
    # Channels of the discriminator's first layers. 64, as published.
    node.DISCRIMINATOR_CHANNELS = 64
    return node


def esrgan_keys() -> CN:
    """MODEL.ESRGAN: ESRGAN, a generator of dense blocks within residual ones."""
    node = CN()
    # Channels of the generator. 64, as in Table 7.
    node.CHANNELS = 64
    # Channels that a layer of a dense block adds. 32, as in Table 7.
    node.GROWTH = 32
    # Blocks, of three dense blocks each. 23, as in Table 7.
    node.BLOCKS = 23
    # Weight of the adversarial loss; the squared error in grey levels has 1. 0, the default: there
    # is no discriminator. Above 0 one of 13.7 M weights is trained beside the generator.
    node.ADVERSARIAL_WEIGHT = 0.0
    # Channels of the discriminator's first layers. 64, as published.
    node.DISCRIMINATOR_CHANNELS = 64
    return node


def bsrgan_keys() -> CN:
    """MODEL.BSRGAN: BSRGAN, ESRGAN's generator with fewer blocks."""
    node = CN()
    # Channels of the generator. 64, as in Table 7.
    node.CHANNELS = 64
    # Channels that a layer of a dense block adds. 32, as in Table 7.
    node.GROWTH = 32
    # Blocks, of three dense blocks each. 16, as in Table 7.
    node.BLOCKS = 16
    # Weight of the adversarial loss; the squared error in grey levels has 1. 0, the default: there
    # is no discriminator. Above 0 one of 4.4 M weights, which judges each cell, is trained as well.
    node.ADVERSARIAL_WEIGHT = 0.0
    # Channels of the discriminator's first layers. 64, as published.
    node.DISCRIMINATOR_CHANNELS = 64
    return node
