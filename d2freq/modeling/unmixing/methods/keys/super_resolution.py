"""Configuration keys of the networks that enlarge the features of a frame: DBPN, GMFN, RDN."""

from detectron2.config import CfgNode as CN

__all__ = ["dbpn_keys", "gmfn_keys", "rdn_keys"]


def dbpn_keys() -> CN:
    """MODEL.DBPN: DBPN, which projects features up to the grid and down again."""
    node = CN()
    # Channels of the projections. 32, as in Table 7.
    node.CHANNELS = 32
    # Channels behind the first convolution. 128, as in Table 7.
    node.FIRST_CHANNELS = 128
    # Pairs of an upward and a downward projection; one more upward follows. 6, as in Table 7.
    node.PAIRS = 6
    return node


def gmfn_keys() -> CN:
    """MODEL.GMFN: GMFN, which runs several times and feeds its own features back."""
    node = CN()
    # Channels of the features, and of what each layer of a dense block adds. 32, as in Table 7.
    node.CHANNELS = 32
    # Channels behind the first convolution. 128, as in Table 7.
    node.FIRST_CHANNELS = 128
    # Residual dense blocks. 8, as in Table 7.
    node.BLOCKS = 8
    # Convolutions of a block. 8, as in Table 7.
    node.LAYERS = 8
    # Passes through the blocks. 4, as in Table 7; each has its own part of the loss.
    node.STEPS = 4
    return node


def rdn_keys() -> CN:
    """MODEL.RDN: RDN, residual dense blocks on the pixels of one frame."""
    node = CN()
    # Residual dense blocks. 16, as in Table 7: 22.3 M weights for 11 x 11 pixels. 4 with LAYERS 4
    # and CHANNELS 32 are 0.5 M, and train on a CPU.
    node.BLOCKS = 16
    # Convolutions of a block. 8, as in Table 7.
    node.LAYERS = 8
    # Channels of all maps, and of what a layer adds. 64, as in Table 7.
    node.CHANNELS = 64
    return node
