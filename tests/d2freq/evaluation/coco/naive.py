"""Plain loops over single boxes: what the counts of the benchmarks are compared with.

A box is [x, y, width, height]; a detection is a row of COCO's results, a ground truth box an
annotation. Nothing here is shared with the package.
"""

HIT, MISS, EXCUSED = 1, 0, -1


def shared_area(one: list, other: list) -> float:
    """Of two boxes, in square pixels."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def iou(found: list, box: list) -> float:
    """Intersection over union."""
    shared = shared_area(found, box)
    union = found[2] * found[3] + box[2] * box[3] - shared
    return shared / union if shared else 0.0


def iod(found: list, box: list) -> float:
    """Intersection over the detection."""
    shared = shared_area(found, box)
    return shared / (found[2] * found[3]) if shared else 0.0


def by_score(rows: list[dict]) -> list[dict]:
    """By falling score, equals as they come."""
    return sorted(rows, key=lambda row: -row["score"])


def greedy(rows: list[dict], counted: list[list], excusing: list[list], threshold: float) -> list:
    """The state of each detection, which come by falling score.

    Each takes the free counted box that it overlaps most, of equals the later one. One that is left
    without is excused where enough of it lies in any of the ``excusing`` boxes.
    """
    free = [True] * len(counted)
    states = []
    for row in rows:
        best, place = threshold, None
        for number, box in enumerate(counted):
            if free[number] and iou(row["bbox"], box) >= best:
                best, place = iou(row["bbox"], box), number
        if place is not None:
            free[place] = False
            states.append(HIT)
        elif any(iod(row["bbox"], box) >= threshold for box in excusing):
            states.append(EXCUSED)
        else:
            states.append(MISS)
    return states


def precisions(states: list[int], positives: int) -> list[tuple[float, float]]:
    """(recall, precision) after each detection that is not excused, all by falling score."""
    points, right, wrong = [], 0, 0
    for state in states:
        right += state == HIT
        wrong += state == MISS
        if state != EXCUSED:
            points.append((right / positives, right / (right + wrong)))
    return points
