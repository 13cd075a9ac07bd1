"""Detections of random cases, and their files as tools write them."""

import numpy as np

NAMES = ("small vehicle", "ship", "Öltank")
FILES = ("a b.jpg", "sub/ä.png", "0007.jpg", "bare.png")


def rows_of(seed):
    """(image id, category id, x, y, w, h, score) of random detections on three images."""
    random = np.random.default_rng(seed)
    return [
        (int(random.choice([3, 13, 23])), int(random.choice([2, 4, 5])))
        + tuple(random.uniform(1, 40, 4).tolist())
        + (float(random.uniform(0.01, 0.99)),)
        for _ in range(int(random.integers(1, 15)))
    ]


def assert_same(found, rows, tolerance=1e-6):
    table = np.column_stack([found.image_id, found.category_id, found.xywh, found.score])
    order = np.lexsort(table.T[::-1])
    wish = np.array(rows)
    assert table.shape == wish.shape
    assert np.allclose(table[order], wish[np.lexsort(wish.T[::-1])], atol=tolerance, rtol=0)


BY_ID = {10 * n + 3: (name, 100 + 20 * n) for n, name in enumerate(FILES)}
CLASSES = {2: 0, 4: 1, 5: 2}  # YOLO's numbers: in the order of ids


def stem(name):
    return name.rsplit(".", 1)[0]


def write_yolo(folder, rows, track=False):
    for n, (image, kind, x, y, w, h, score) in enumerate(rows):
        name, width = BY_ID[image]
        path = folder / f"{stem(name)}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        shares = ((x + w / 2) / width, (y + h / 2) / 80, w / width, h / 80)
        words = [CLASSES[kind], *shares, score, *([n] if track else [])]
        with open(path, "a", encoding="utf-8") as file:
            file.write(" ".join(map(str, words)) + "\n")


def write_visdrone(folder, rows):
    for image, kind, *box, score in rows:
        path = folder / f"{stem(BY_ID[image][0])}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(",".join(map(str, [*box, score, kind, -1, -1])) + "\n")


def write_dota(folder, rows, task):
    folder.mkdir(parents=True, exist_ok=True)
    names = dict(zip((2, 5, 4), NAMES, strict=True))
    for image, kind, x, y, w, h, score in rows:
        sides = (x, y, x + w, y, x + w, y + h, x, y + h) if task == 1 else (x, y, x + w, y + h)
        path = folder / f"Task{task}_{names[kind].replace(' ', '-')}.txt"
        # DOTA's lines are split at blanks, so that no name has one
        name = stem(BY_ID[image][0]).split("/")[-1].replace(" ", "")
        with open(path, "a", encoding="utf-8") as file:
            file.write(" ".join(map(str, [name, score, *sides])) + "\n")
