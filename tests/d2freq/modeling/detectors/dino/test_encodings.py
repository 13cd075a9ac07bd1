import math

import pytest
import torch

from d2freq.modeling.detectors.dino.encodings import encode_boxes, encode_cells


def sine(angle, features, temperature):
    found = []
    for pair in range(features // 2):
        scaled = angle / temperature ** (2 * pair / features)
        found += [math.sin(scaled), math.cos(scaled)]
    return found


@pytest.mark.parametrize("temperature, offset", [(20.0, 0.0), (10000.0, -0.5)])
def test_cells_are_encoded_by_row_and_column_of_their_own_image(temperature, offset):
    counts = torch.tensor([[5.0, 3.0], [2.0, 4.0]], dtype=torch.float64)  # columns, rows
    found = encode_cells(counts, (4, 5), 12, temperature=temperature, offset=offset)
    assert found.shape == (2, 20, 12)
    for image, (columns, rows) in enumerate(counts.tolist()):
        for row in range(int(rows)):
            for column in range(int(columns)):
                y = (row + 1 + offset) / (rows + 1e-6) * 2 * math.pi
                x = (column + 1 + offset) / (columns + 1e-6) * 2 * math.pi
                expected = sine(y, 6, temperature) + sine(x, 6, temperature)
                cell = found[image, row * 5 + column].tolist()
                assert cell == pytest.approx(expected, abs=1e-12)


def test_boxes_are_encoded_in_the_order_y_x_width_height():
    boxes = torch.rand(1, 3, 4, dtype=torch.float64)
    found = encode_boxes(boxes, 6)
    for number, (x, y, width, height) in enumerate(boxes[0].tolist()):
        expected = [
            value for each in (y, x, width, height) for value in sine(each * 2 * math.pi, 6, 1e4)
        ]
        assert found[0, number].tolist() == pytest.approx(expected, abs=1e-12)
