"""Configuration keys of DINO."""

from detectron2.config import CfgNode as CN

from d2freq.ops.boxes import NWD_CONSTANT

__all__ = ["dino_keys"]


def dino_keys() -> CN:
    """MODEL.DINO: MODEL.META_ARCHITECTURE DINO. Defaults are the published 5-scale model's."""
    node = CN()
    # Classes without the background.
    node.NUM_CLASSES = 80
    # Maps of the backbone, finest first, all of the same channels; at most five of them, as an
    # object of the sixth would be proposed larger than the image.
    node.IN_FEATURES = ["p2", "p3", "p4", "p5", "p6"]
    # "mmdet" | "detrex" | "original": whose published code the network is laid out as. It sets
    # every key below that is None; weights of one fit a model of the same layout.
    node.LAYOUT = "mmdet"

    # --- the network ----------------------------------------------------------------------------
    # Objects an image may have found at most: those beyond are never matched in training.
    node.NUM_QUERIES = 900
    # Channels of queries and tokens. None: as many as the maps have, MODEL.FPN.OUT_CHANNELS, 256
    # in the published model. Another number than theirs is refused.
    node.HIDDEN_DIM = None
    # Channels within a feed-forward network.
    node.FFN_DIM = 2048
    # Heads of an attention; they divide the channels of a query.
    node.NUM_HEADS = 8
    # Points that a head of deformable attention looks at on each level.
    node.NUM_POINTS = 4
    # Layers of the encoder.
    node.ENC_LAYERS = 6
    # Layers of the decoder, at least one.
    node.DEC_LAYERS = 6
    # Share of values that attention and feed-forward networks drop in training.
    node.DROPOUT = 0.0
    # True | False | None, the layout's: one pair of heads for all decoder layers, and another for
    # the encoder's proposals, or a pair each.
    node.SHARED_HEADS = None
    # Classes that the table of noised labels has a row for, at least NUM_CLASSES. None, the
    # layout's: NUM_CLASSES, or 92, COCO's numbers, in the original.
    node.LABEL_ROWS = None
    # The largest wave length of a map's sine encoding, in units of 2 pi of the position. None, the
    # layout's: 20, or 10000 in detrex.
    node.PE_TEMPERATURE = None
    # What is added to a cell's number in that encoding, -0.5 for its centre. None, the layout's: 0,
    # or -0.5 in detrex.
    node.PE_OFFSET = None
    # True | False | None, the layout's: whether convolutions of the channel mapper have a bias.
    node.NECK_BIAS = None

    # --- contrastive denoising ------------------------------------------------------------------
    # Noised objects of an image, shared out to groups: DN_NUMBER // objects of the fullest image
    # of the batch, at least one. 0: no denoising.
    node.DN_NUMBER = 100
    # Probability that a label is noised; half of the noised ones become another class.
    node.LABEL_NOISE = 0.5
    # How far a corner moves at most, in halves of the box's side.
    node.BOX_NOISE = 1.0
    # Objects of an image that are noised at most, chosen at random. Images of AI-TOD have up to
    # thousands: two queries each would fill the memory, as self-attention grows with their square.
    node.DN_MAX_GT = 300

    # --- matching and losses --------------------------------------------------------------------
    # What a pairing of query and object costs: focal class cost, L1 of normalised boxes, negative
    # GIoU, and 1 - NWD, which tells tiny boxes apart that do not overlap; 0 leaves one out.
    node.COST_CLASS = 2.0
    node.COST_BOX = 5.0
    node.COST_GIOU = 2.0
    node.COST_NWD = 0.0
    # The scale of NWD in pixels; 12.7 is the mean size of AI-TOD's objects.
    node.NWD_CONSTANT = NWD_CONSTANT
    # Weights of the losses, in encoder, decoder and denoising alike.
    node.CLASS_WEIGHT = 1.0
    node.BOX_WEIGHT = 5.0
    node.GIOU_WEIGHT = 2.0
    # The weight of objects in the focal loss and cost; the background has 1 - alpha.
    node.FOCAL_ALPHA = 0.25
    # The power of what is still wrong there.
    node.FOCAL_GAMMA = 2.0

    # --- inference and memory -------------------------------------------------------------------
    # Detections of an image. None: TEST.DETECTIONS_PER_IMAGE. At most NUM_QUERIES x NUM_CLASSES.
    node.NUM_SELECT = None
    # Detections must score higher. 0, the published value, keeps NUM_SELECT of every image.
    node.SCORE_THRESH_TEST = 0.0
    # True | False. True: in training, layers keep their inputs alone and are computed again in
    # backward. Less memory, more time, the same gradients.
    node.USE_ACT_CHECKPOINT = False
    # Queries whose samples deformable attention holds at once; in training each such part is
    # computed again in backward. 0: all at once.
    node.QUERY_CHUNK = 0
    return node
