"""Two processes over gloo give the gradients of one process on the joined batch."""

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import d2freq  # noqa: F401  a spawned process chooses the host anew

CONFIG = Path(__file__).resolve().parents[4] / "configs/hs_fpn/faster_rcnn_R18_HSFPN_kit_ais.yaml"


def build():
    """HS-FPN Faster R-CNN whose loss is a mean over images: frozen batch norm, every anchor and
    proposal sampled, equally many proposals an image.
    """
    from detectron2.modeling import build_model

    from d2freq.engine import load_yaml

    cfg = load_yaml(
        str(CONFIG),
        ["MODEL.DEVICE", "cpu", "MODEL.FPN.OUT_CHANNELS", 32, "MODEL.ROI_BOX_HEAD.FC_DIM", 32]
        + ["MODEL.RESNETS.NORM", "FrozenBN", "MODEL.RPN.POST_NMS_TOPK_TRAIN", 40]
        + ["MODEL.RPN.BATCH_SIZE_PER_IMAGE", 1000000, "MODEL.RPN.POSITIVE_FRACTION", 0.5]
        + ["MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE", 1000000],
    )
    torch.manual_seed(0)
    return build_model(cfg).train()


def batch() -> list[dict]:
    from detectron2.structures import Boxes, Instances

    generator = torch.Generator().manual_seed(0)
    samples = []
    for offset in (5.0, 30.0):
        target = Instances((96, 96))
        corner = torch.tensor([[offset, offset], [60.0, offset]])
        target.gt_boxes = Boxes(torch.cat([corner, corner + 11], dim=1))
        target.gt_classes = torch.tensor([0, 0])
        image = torch.randint(0, 256, (3, 96, 96), generator=generator)
        samples.append({"image": image, "instances": target})
    return samples


def gradients(model, samples: list[dict]) -> dict[str, torch.Tensor]:
    from detectron2.utils.events import EventStorage

    with EventStorage():
        sum(model(samples).values()).backward()
    named = getattr(model, "module", model).named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def one_of_two(rank: int, rendezvous: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    try:
        model = torch.nn.parallel.DistributedDataParallel(build())
        result = gradients(model, batch()[rank : rank + 1])
        if rank == 0:
            torch.save(result, out)
    finally:
        dist.destroy_process_group()


def test_two_processes_give_the_gradients_of_the_joined_batch(tmp_path):
    joined = gradients(build(), batch())
    mp.spawn(one_of_two, args=(str(tmp_path / "meet"), str(tmp_path / "out.pt")), nprocs=2)
    split = torch.load(tmp_path / "out.pt")
    assert split.keys() == joined.keys() and len(joined) > 50
    for name, gradient in joined.items():
        scale = max(1.0, float(gradient.abs().max()))
        assert float((split[name] - gradient).abs().max()) <= 1e-6 * scale, name
