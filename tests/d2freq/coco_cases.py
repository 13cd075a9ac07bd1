"""COCO content for tests, from boxes alone."""

from collections.abc import Iterable, Mapping


def coco(
    boxes: Iterable[dict] = (),
    *,
    images: Iterable[int] = (1,),
    kinds: Mapping[int, str] | Iterable[int] = (1,),
    size: tuple[int, int] = (99, 99),
) -> dict:
    """Content of a COCO file.

    Args:
        boxes: annotations. What they lack of these is added: ids from 1 on, image 1, category 1,
            the area of ``bbox``, no crowd.
        images: ids; the files are 1.png and so on.
        kinds: ids of the categories with their names, without them kind1 and so on.
        size: width and height of every image.
    """
    names = kinds if isinstance(kinds, Mapping) else {kind: f"kind{kind}" for kind in kinds}
    width, height = size
    annotations = []
    for number, box in enumerate(boxes, start=1):
        w, h = box["bbox"][2:]
        plain = dict(id=number, image_id=1, category_id=1, area=w * h, iscrowd=0)
        annotations.append(plain | box)
    return dict(
        images=[dict(id=i, file_name=f"{i}.png", width=width, height=height) for i in images],
        annotations=annotations,
        categories=[dict(id=kind, name=name) for kind, name in names.items()],
    )
