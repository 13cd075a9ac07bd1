"""Anchors move with the content, and the search by thirds finds what a loop over all pairs does."""

import numpy as np
import pytest
from scipy.fft import dctn

from d2freq.data.leaks.anchors import BITS, find_anchors
from d2freq.data.leaks.match import Table, match, near_codes


@pytest.fixture(scope="module")
def texture():
    """(300, 340) uint8 with structure of some ten pixels."""
    import cv2

    noise = np.random.default_rng(0).normal(0, 1, (300, 340))
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.uint8(np.clip(128 + 40 * smooth / smooth.std(), 0, 255))


def test_anchors_of_a_crop_are_those_of_the_image(texture):
    whole = find_anchors(texture)
    known = dict(zip(map(tuple, (whole.xy - [37, 21]).tolist()), whole.code.tolist(), strict=True))
    crop = find_anchors(texture[21:261, 37:317])
    inside = (crop.xy > 60) & (crop.xy < [280 - 60, 240 - 60])  # away from the cut
    points = [tuple(xy) for xy in crop.xy[inside.all(axis=1)].tolist()]
    assert len(points) >= 5 and set(points) <= set(known)
    codes = dict(zip(map(tuple, crop.xy.tolist()), crop.code.tolist(), strict=True))
    assert all(codes[point] == known[point] for point in points)


def test_blocks_change_nothing(texture, monkeypatch):
    whole = find_anchors(texture)
    monkeypatch.setattr("d2freq.data.leaks.anchors.BLOCK", 97)
    parts = find_anchors(texture)
    order, other = (np.lexsort(anchors.xy.T) for anchors in (whole, parts))
    assert np.array_equal(whole.xy[order], parts.xy[other])
    assert np.array_equal(whole.code[order], parts.code[other])


def test_hash_is_the_signs_of_scipys_lowest_frequencies(texture):
    anchors = find_anchors(texture)
    x, y = anchors.xy[0]
    square = texture[y - 32 : y + 32, x - 32 : x + 32].astype(np.float64)
    samples = square.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    waves = dctn(samples, norm="ortho")[:8, :8].ravel()[1:]
    order = np.concatenate([np.arange(third, BITS, 3) for third in range(3)])
    wish = sum(1 << place for place, sign in enumerate(waves[order] > 0) if sign)
    clear = sum(1 << k for k, wave in enumerate(waves[order]) if abs(wave) > 0.5)
    assert int(anchors.code[0]) & clear == wish & clear and bin(clear).count("1") > 40


def test_small_and_smooth_images_have_no_anchor():
    assert len(find_anchors(np.full((200, 200), 9, np.uint8)).code) == 0
    ramp = np.uint8(np.linspace(0, 255, 200))[None].repeat(200, 0)
    assert len(find_anchors(ramp).code) == 0
    assert len(find_anchors(np.zeros((3, 5), np.uint8)).code) == 0


def test_near_codes_against_all_pairs():
    random = np.random.default_rng(1)
    codes = random.integers(0, 1 << BITS, 300, dtype=np.uint64)
    flips = random.integers(0, 13, 300)
    others = codes.copy()
    for row, count in enumerate(flips):
        for bit in random.choice(BITS, count, replace=False):
            others[row] ^= np.uint64(1) << np.uint64(bit)
    pairs, crowded = near_codes(codes, others)
    found = set(map(tuple, pairs.T.tolist()))
    assert len(found) == pairs.shape[1] and crowded == 0
    apart = [[bin(int(a) ^ int(b)).count("1") for b in others] for a in codes]
    near = {(i, j) for i, row in enumerate(apart) for j, bits in enumerate(row) if bits <= 8}
    assert found <= near
    assert {(i, i) for i in range(300) if flips[i] <= 2} <= found  # a third is untouched
    assert len(found) > 0.4 * len(near)  # of eight flips each third has one, mostly


def test_batches_and_crowds(monkeypatch):
    codes = np.array([5, 5, 9 << 42, 7], np.uint64)
    everything, _ = near_codes(codes, codes)
    monkeypatch.setattr("d2freq.data.leaks.match.BATCH", 1)
    batched, _ = near_codes(codes, codes)
    assert np.array_equal(everything, batched) and everything.shape[1] == 16
    common = np.zeros(300, np.uint64)
    pairs, crowded = near_codes(common[:2], common)
    assert pairs.shape == (2, 0) and crowded == 2


def test_votes_give_shift_and_pair():
    random = np.random.default_rng(2)
    code = random.integers(0, 1 << BITS, 40, dtype=np.uint64)
    xy = random.integers(0, 500, (40, 2)).astype(np.int32)
    owner = np.repeat([0, 1], 20).astype(np.int32)
    moved = xy + [30, -12] + random.integers(-1, 2, (40, 2))
    moved[:5] = random.integers(0, 500, (5, 2))  # of image 0, five look alike elsewhere
    other = Table(np.repeat([3, 2], 20).astype(np.int32), moved.astype(np.int32), code)
    first, second = match(Table(owner, xy, code), other, min_votes=2)[0]
    assert (first.image, first.other, second.image, second.other) == (0, 3, 1, 2)
    for found, votes in ((first, 15), (second, 20)):
        assert found.votes == votes
        assert abs(found.shift[0] - 30) <= 1 and abs(found.shift[1] + 12) <= 1


def test_two_thousand_images_against_two_thousand():
    random = np.random.default_rng(3)
    image = np.repeat(np.arange(2000, dtype=np.int32), 50)
    sides = [
        Table(
            image,
            random.integers(0, 800, (len(image), 2)).astype(np.int32),
            random.integers(0, 1 << BITS, len(image), dtype=np.uint64),
        )
        for _ in range(2)
    ]
    sides[1].code[50:100], sides[1].xy[50:100] = sides[0].code[:50], sides[0].xy[:50] + 100
    (found,) = match(*sides, min_votes=2)[0]
    assert (found.image, found.other, found.shift, found.votes) == (0, 1, (100, 100), 50)
