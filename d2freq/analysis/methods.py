"""How the topics of ``d2freq analyze`` measure, in words, and what they choose from.

The words stand in --help, under the figures and in the JSON files beside them. They are here, apart
from the measurements, so that --help need not import torch.
"""

REGIONS = ("full", "background")  # where occlusion masks a band
RECIPES = ("plain", "released")  # of saliency
PATCH = 40  # pixels a side of the target region of scr (HS-FPN, below Eq. 1)

BANDS = (
    "A band is a range of the energy, in per cent, counted from low frequencies to high: each "
    "channel gets a 2-D Fourier transform, squared amplitudes are added over channels and images, "
    "and a frequency belongs to the band in which the energy up to its own circle lies. The zero "
    "frequency, often half of all energy, does not count (--zero-frequency counts it) and belongs "
    "to the band from 0. The radii at the ends of a band are fixed once, level by level"
)

BACKGROUND = (
    "HBS's block of each level runs on the background of its features, zero in the objects, and "
    f"amplitudes before and after are compared band by band. {BANDS}, on the background before "
    "smoothing, so that the radii are the same before and after. Amplitudes of all channels and "
    "images are added up: the share is a band's sum over the sum of all frequencies, the zero "
    "frequency included; the mean is per frequency, channel and image. The block's output counts "
    "as it is, before objects are put back"
)

OCCLUSION = (
    "The backbone runs once an image; then the amplitudes of a band are set to zero in its "
    "features, phases kept, the transform inverted, and the detector's own heads run on the "
    "result. Region background: objects' cells keep their features, the others are masked with "
    f"zeros in the objects' place. {BANDS}, on the unmasked features of the calibration images. AP "
    "is measured by the protocol for each mask, the change in per cent of the AP without a mask. "
    "Images go one by one, features with their padding"
)

SPECTRUM = (
    "A level's features are cropped to a square of cells around an object, the channel of the "
    "highest energy (sum of squares in the crop) is taken, and log(1 + amplitude) of its 2-D "
    "orthonormal Fourier transform is drawn with the zero frequency in the middle, on one scale "
    "for all panels of an object. The crop's side is the larger of --cells and --context times the "
    "object's longer side in cells; it is moved into the level where it would leave it"
)

PCA = (
    "The cells of a level are points of as many numbers as it has channels; each map is centred "
    "on its own mean and projected on the axis of its own largest variance. The axis is turned so "
    "that cells which a ground truth box touches are on average not lower than the others "
    "(without such cells: so that the value of the largest magnitude is positive). A SET model is "
    "shown before and after HBS, which gets the image's ground truth; another model as it is. "
    "Darker is higher, on one scale for all maps, or with --own-scale on one for each"
)

SALIENCY = (
    "The gradient of each branch's loss with respect to a level's features is taken on one image; "
    "the L2 norm over the channels of the mean of the branches' gradients is resized bilinearly to "
    "the network's input and summed over the pixels that a ground truth box touches. Means are "
    "over the objects of a size class, whose areas are of the image on disk. Batch norms and "
    "dropout stay as in inference, anchors and proposals are drawn by --seed, and running means by "
    "which losses are divided begin anew with each image. Every model is measured at its plain "
    "feature with factor 1. --recipe released repeats the published figure instead: SET models at "
    "the smoothed feature plus three times the perturbation, sums times three, others as before; "
    "its numbers do not compare the models"
)

GATE = (
    "Each image goes as in inference, with its padding, through the DCT stem and its gate, which "
    "there draws nothing: a channel is on where its logit for on is the larger. The share of the "
    "images in which a channel is on is drawn on its frequency, a map each for Y, Cb and Cr, rows "
    "of vertical and columns of horizontal frequency; the number in a cell is its zigzag rank, "
    "grey cells are channels that the stem has not. The --top channels by that share (among equals "
    "by the mean chance to be drawn as on, then by number) are framed, and written with their "
    "statistics as a config without a gate, FILE.yaml"
)

STATISTICS = (
    "The images of the config's training set go, resized as in inference, cut to whole blocks "
    "and one by one, through the stem that the config describes; E[x] and E[x^2] over all blocks "
    "give each channel's mean and deviation. The YAML file holds MODEL.FREQ_INPUT: a config takes "
    "it as its last base (_BASE_: [config.yaml, statistics.yaml]). A JSON file beside it says the "
    "same with the number of images and blocks. Overrides choose other channels, such as "
    "MODEL.FREQ_INPUT.CHANNELS 48"
)

UNMIXING_LIMITS = (
    "Trajectories are drawn by the rules of SeqCSIST; for each frame the bound of Cramer and Rao "
    "(with the range of intensities known before, van Trees) says how little the positions of its "
    "targets can err under noise, if their number is known and a plane as background is not. Over "
    "several frames the group keeps its shape and intensities and moves along a parabola (a cubic "
    "beyond 8 frames). CSO-mAP is that of positions with normal errors of this covariance, ordered "
    "by minus their standard deviation or by intensity. The bound is no ceiling where errors reach "
    "the distance of the targets, from three in one frame on. Known axes are a control: that "
    "targets lie up, down, left and right of a centre at a known distance is a rule of the "
    "generator and no physics"
)
