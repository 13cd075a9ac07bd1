"""What unmixing loses where a sensor cuts the background off at 0, and gains by putting it back.

    python benchmarks/unmixing_black.py [--trajectories 20]

Frames of benchmarks/unmixing_limits.py at a noise of 3 grey levels, rounded and cut off at 0, below
which the background lies by 0, 3 and 5 grey levels; windows of five frames, the order by stated
deviations.
"""

import argparse

import torch
from common import where
from torch import Tensor
from unmixing_limits import Scene, judged

from d2freq.inference.unmixing.black import find_black, put_back
from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
from d2freq.ops.psf import render

WINDOW, SIGMA, NOISE = 5, 0.5, 3.0
LEVELS = (0.0, -3.0, -5.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trajectories", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    scene = Scene(args.trajectories)
    print(f"{where()}\n")
    print("| background, grey levels | frames | CSO-mAP | error, px | within 1 sd, % |")
    print("|---|---|---|---|---|")
    for level in LEVELS:
        frames = (scene.frames(NOISE, 0) + level).round().double()
        sides = {"whole": frames, "cut off": frames.clamp(min=0)}
        for name, side in sides.items():
            _row(level, name, [_decode(own) for own in side], scene)
        mended = [_put_back(own) for own in sides["cut off"]]
        _row(level, "put back", mended, scene)


def _row(level: float, name: str, found: list, scene: Scene) -> None:
    seen = [frame for each in found for frame in each[2:18]]  # whose windows are whole
    figures = judged(seen, scene.truth)
    cells = [f"{level:g}", name, f"{figures['confidence']:.1f}", f"{figures['error']:.4f}"]
    print(f"| {' | '.join(cells)} | {figures['within']:.1f} |", flush=True)


def _decode(frames: Tensor) -> list:
    return decode_windows(None, frames[None], window=WINDOW, threshold=1e-6, saturation=None)[0]


def _put_back(frames: Tensor) -> list:
    """As ``d2freq unmix`` does: once as they are, and again where a level is found below 0."""
    found = _decode(frames)
    points = [targets.points.double() for targets in found]
    drawn = [render(p[:, :2], p[:, 2], size=frames.shape[-1], sigma=SIGMA) for p in points]
    light = torch.stack(drawn)
    black = find_black(frames, light, step=1.0)
    return _decode(put_back(frames, light, black)) if black else found


if __name__ == "__main__":
    main()
