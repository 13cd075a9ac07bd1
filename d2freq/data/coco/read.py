"""How much of a JSON text is whole that ends or breaks in the middle."""

import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def count_whole_records(text: str) -> dict[str, int]:
    """Count the whole objects in each list of an object, {"images": 20, "annotations": 311}.

    Args:
        text: the beginning of a JSON text, well-formed as far as it goes.
    """
    open_brackets: list[str] = []
    counts: dict[str, int] = {}
    key = ""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in "[{":
            open_brackets.append(token)
            if open_brackets == ["{", "["]:
                counts[key] = 0
        elif token in "]}":
            if open_brackets:
                open_brackets.pop()
            if token == "}" and open_brackets == ["{", "["]:
                counts[key] += 1
        elif open_brackets == ["{"]:
            key = token[1:-1]
    return counts
