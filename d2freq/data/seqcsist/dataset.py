"""Write SeqCSIST: ``train.npz``, ``val.npz``, ``test.npz`` and Q_init in a folder."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from d2freq.data.seqcsist.backgrounds import Backgrounds, backgrounds, check_scale, fingerprint
from d2freq.data.seqcsist.files import Split, read_arrays, read_split, write_split
from d2freq.data.seqcsist.frames import observe, quantize, saturated
from d2freq.data.seqcsist.grid import count_collided
from d2freq.data.seqcsist.q_init_file import cached, file_name
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import DatasetError, UserError
from d2freq.utils.grid_size import check_grid
from d2freq.utils.numbers import in_range
from d2freq.utils.threads import one_thread

VERSION = 1  # raised whenever the same seed would give other numbers


def generate_seqcsist(
    output: str | os.PathLike,
    *,
    rules: Rules | None = None,
    train: int = 3500,
    val: int = 750,
    test: int = 750,
    uint8: bool = False,
    background: str | os.PathLike | None = None,
    background_gain: float = 1.0,
    background_range: Sequence[float] | None = None,
    factor: int = 3,
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, Path]:
    """Write the splits and the matrix Q_init of the training split.

    A trajectory depends on the rules, the name of its split and its number alone: the same seed
    gives the same bytes, and fewer trajectories are the first ones of more.

    Args:
        output: the folder; it is created. Splits that are there and were made alike stay.
        rules: the paper's without it.
        train: training trajectories (DeRefNet: 70 % of 5,000).
        val: validation trajectories (15 %).
        test: test trajectories (15 %).
        uint8: round and cut to eight bits, as a camera does, instead of float32.
        background: "clutter", or a folder of images, see d2freq.data.seqcsist.backgrounds.
        background_gain: factor on its grey levels.
        background_range: low and high of the images' numbers, which become grey levels 0 and 255;
            images of more than 8 bits need it.
        factor: grid cells per pixel and axis of Q_init.
        overwrite: replace splits that were made otherwise instead of refusing.

    Returns:
        the file of each split.

    Raises:
        UserError: numbers out of range, or ``output`` holds other splits.
        DatasetError: background images are missing or unfit.
    """
    rules = rules or Rules()
    counts = {"train": train, "val": val, "test": test}
    for split, count in counts.items():
        in_range(count, 1, 1_000_000, key=f"--{split}", what="trajectories")
    check_grid(rules.size, factor, keys=("--size", "--factor"))
    check_scale(background_gain, background_range)
    files = {split: Path(output) / f"{split}.npz" for split in counts}
    wishes = {}
    for split, count in counts.items():
        scenery = fingerprint(background, split)
        made = {"uint8": uint8, "background": scenery, "background_gain": background_gain}
        if background_range is not None:
            made["background_range"] = list(background_range)
        head = {"description": "d2freq SeqCSIST", "version": VERSION, "split": split}
        wish = head | {"count": count} | made | rules.as_dict()
        wishes[split] = json.loads(json.dumps(wish))  # as it comes back from a file
    todo = [s for s in counts if not _is_there(files[s], wishes[s], overwrite=overwrite)]
    for split in todo:
        behind = None
        if background is not None:
            shape = {"seed": rules.seed, "frames": rules.frames, "size": rules.size}
            levels = None if background_range is None else (*map(float, background_range),)
            behind = backgrounds(
                background, split, gain=background_gain, value_range=levels, **shape
            )
        with one_thread():
            made_split = _make(wishes[split], rules, behind, progress=progress)
        write_split(files[split], made_split)
    cached(
        files["train"].with_name(file_name(factor)),
        lambda: read_split(files["train"]).records(files["train"]),
        made_from=wishes["train"],
        size=rules.size,
        factor=factor,
        sigma=rules.sigma,
        progress=progress,
    )
    return files


def describe(file: str | os.PathLike, *, factor: int = 3) -> str:
    """One line on a split: trajectories, targets, collisions on the grid, saturation."""
    split = read_split(file)
    size, length = split.info["size"], split.info["frames"]
    numbers = Counter(positions.shape[1] for positions in split.positions)
    shares = ", ".join(f"{count} of {k}" for k, count in sorted(numbers.items()))
    total = sum(intensities.size for intensities in split.intensities)
    lost = sum(
        count_collided(torch.from_numpy(positions), size=size, factor=factor)
        for positions in split.positions
    )
    grid = factor * size
    return (
        f"{file}: {len(split.frames)} trajectories of {length} frames ({shares} targets), "
        f"{total} targets in all; {lost} ({lost / total:.2%}) lose their cell of the {grid} x "
        f"{grid} grid to another target; {(split.saturated > 0).mean():.1%} of frames exceed 255 "
        f"grey levels somewhere and are {'cut there' if split.info['uint8'] else 'kept so'}"
    )


def _make(info: dict, rules: Rules, behind: Backgrounds | None, *, progress: bool) -> Split:
    """Draw and render all trajectories of a split."""
    count, shape = info["count"], (rules.frames, rules.size, rules.size)
    frames = np.empty((count, *shape), np.uint8 if info["uint8"] else np.float32)
    over = np.empty((count, rules.frames), np.int64)
    positions, intensities = [], []
    numbers = tqdm(range(count), desc=info["split"], unit=" trajectories", disable=not progress)
    for number in numbers:
        drawn = draw_trajectory(rules, info["split"], number)
        seen = observe(
            drawn.positions,
            drawn.intensities,
            size=rules.size,
            sigma=rules.sigma,
            background=None if behind is None else behind(number),
        )
        over[number] = saturated(seen)
        frames[number] = quantize(seen) if info["uint8"] else seen
        positions.append(drawn.positions)
        intensities.append(drawn.intensities)
    return Split(info, frames, over, positions, intensities)


def _is_there(file: Path, wish: dict, *, overwrite: bool) -> bool:
    """Whether a split needs no writing; refuses to replace one that was made otherwise.

    Raises:
        UserError: it was made otherwise, or by something else, and ``overwrite`` is not given.
    """
    if not file.exists():
        return False
    try:
        found = read_arrays(file)[0]
    except DatasetError:
        found = {"description": "something of unknown origin"}
    if found == wish:
        return True
    if not overwrite:
        other = [f"{key}={found[key]}" for key in wish if found.get(key, wish[key]) != wish[key]]
        raise UserError(
            f"{file} holds another split ({', '.join(other) or found.get('description')}); choose "
            "another --output, ask for the same, or pass --overwrite"
        )
    return False
