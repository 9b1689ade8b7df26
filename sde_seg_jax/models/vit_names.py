"""Names of vision transformers in files of PyTorch: facebookresearch's and timm's, and transformers' translated."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from sde_seg_jax.models.torch_names import EncoderNames

ENCODER = "models.encoder.encoder."  # how an encoder's names begin in the joint model
ANCHOR = r"(.*?)embeddings\.cls_token"  # what is before it is before all of transformers' names
# transformers' names -> facebookresearch's; query, key and value are one layer there, and w1 and w2 of SwiGLU
TRANSFORMERS = (
    (r"embeddings\.patch_embeddings\.(?:projection\.)?", "patch_embed.proj."),
    (r"embeddings\.position_embeddings$", "pos_embed"),
    (r"embeddings\.(cls_token|mask_token|register_tokens)$", r"\1"),
    (r"encoder\.layer\.(\d+)\.attention\.attention\.([qkv])(?:uery|ey|alue)\.", r"blocks.\1.attn.\2."),
    (r"encoder\.layer\.(\d+)\.attention\.([qkv])_proj\.", r"blocks.\1.attn.\2."),  # since version 5
    (r"encoder\.layer\.(\d+)\.attention\.(?:output\.dense|o_proj)\.", r"blocks.\1.attn.proj."),
    (r"encoder\.layer\.(\d+)\.layer_scale(\d)\.lambda1$", r"blocks.\1.ls\2.gamma"),
    (r"encoder\.layer\.(\d+)\.mlp\.weights_in\.", r"blocks.\1.mlp.w12."),
    (r"encoder\.layer\.(\d+)\.mlp\.(?:weights_out|down_proj)\.", r"blocks.\1.mlp.w3."),
    (r"encoder\.layer\.(\d+)\.mlp\.gate_proj\.", r"blocks.\1.mlp.w1."),  # since version 5
    (r"encoder\.layer\.(\d+)\.mlp\.up_proj\.", r"blocks.\1.mlp.w2."),
    (r"encoder\.layer\.(\d+)\.", r"blocks.\1."),
    (r"(?:layernorm|norm)\.", "norm."),
    # DINOv3's
    (r"(?:model\.)?layer\.(\d+)\.attention\.([qkv])_proj\.", r"blocks.\1.attn.\2."),
    (r"(?:model\.)?layer\.(\d+)\.attention\.o_proj\.", r"blocks.\1.attn.proj."),
    (r"(?:model\.)?layer\.(\d+)\.layer_scale(\d)\.lambda1$", r"blocks.\1.ls\2.gamma"),
    (r"(?:model\.)?layer\.(\d+)\.mlp\.up_proj\.", r"blocks.\1.mlp.fc1."),
    (r"(?:model\.)?layer\.(\d+)\.mlp\.down_proj\.", r"blocks.\1.mlp.fc2."),
    (r"(?:model\.)?layer\.(\d+)\.", r"blocks.\1."),
)
# facebookresearch's names of DINOv3 -> those of DINOv2
FACEBOOK = {"storage_tokens": "register_tokens"}
TRAINING = r"mask_token|rope_embed|local_cls_norm|cls_norm"  # what only training reads
FUSED = {"qkv": ("q", "k", "v"), "w12": ("w1", "w2")}  # a layer -> those that transformers has in its place
LETTERS = {384: "s", 768: "b", 1024: "l", 1536: "g"}
INSIDE = {"qkv": "attn", "proj": "attn", **dict.fromkeys(("fc1", "fc2", "w12", "w3"), "mlp")}  # layer -> its module
GATED = {"fc1": "w12", "fc2": "w3"}  # timm's names of SwiGLU's layers -> facebookresearch's


def torch_module(path: tuple[str, ...]) -> str:
    """("block_3", "qkv") -> "blocks.3.attn.qkv"."""
    if not path:
        return ""
    if len(path) == 1:
        return {"patch_embed": "patch_embed.proj"}.get(path[0], path[0])
    block, layer = path
    inside = f"{INSIDE[layer]}.{layer}" if layer in INSIDE else layer
    return f"blocks.{block.removeprefix('block_')}.{inside}"


def translate(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A file's arrays with those of a transformer under facebookresearch's names; all others as they are."""
    start = next((found[1] for name in content if (found := re.fullmatch(ANCHOR, name))), None)
    if start is None:
        return _of_timm(_gated(_of_dinov3(content)))
    found = {}
    for name, value in content.items():
        new = _facebooks(name.removeprefix(start)) if name.startswith(start) else None
        found[name if new is None else ENCODER + new] = value
    return _fused(found)


def _facebooks(name: str) -> str | None:
    for pattern, new in TRANSFORMERS:
        if re.match(pattern, name):
            return re.sub(pattern, new, name, count=1)
    return None


def _fused(content: dict[str, Any]) -> dict[str, Any]:
    """Query, key and value of each attention below one another, as one layer; the same of SwiGLU's first two layers.

    DINOv3's keys have no bias, which would change nothing: it is the same for all that a query is compared with.
    """
    found, firsts = {}, {parts[0]: (layer, parts) for layer, parts in FUSED.items()}
    for name, value in content.items():
        match = re.fullmatch(r"(.*\.(?:attn|mlp)\.)(q|k|v|w1|w2)(\.\w+)", name)
        if not match:
            found[name] = value
        elif match[2] in firsts and isinstance(value, np.ndarray):
            layer, names = firsts[match[2]]
            parts = [content.get(f"{match[1]}{part}{match[3]}") for part in names]
            if layer == "qkv" and match[3] == ".bias" and parts[1] is None:
                parts[1] = np.zeros_like(value)
            if all(isinstance(part, np.ndarray) for part in parts):
                found[f"{match[1]}{layer}{match[3]}"] = np.concatenate(parts)
    return found


def _of_dinov3(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """facebookresearch calls registers storage_tokens there, and has a mask beside biases that leaves out the keys'."""
    if not any(name.endswith("storage_tokens") for name in content):
        return content
    found = {}
    for name, value in content.items():
        start, dot, last = name.rpartition(".")
        if last == "bias_mask":
            continue
        mask = content.get(f"{name}_mask")
        if isinstance(mask, np.ndarray) and isinstance(value, np.ndarray):
            value = np.where(np.nan_to_num(mask) == 0, 0, value).astype(value.dtype)
        found[f"{start}{dot}{FACEBOOK.get(last, last)}"] = value
    return found


def _gated(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """timm calls the layers of a giant's SwiGLU as those of others: the first makes twice of what the second takes."""
    found = {}
    for name, value in content.items():
        match = re.fullmatch(r"(.*\.mlp\.)(fc[12])(\.\w+)", name)
        shapes = [np.shape(content.get(f"{match[1]}{layer}.weight", ())) for layer in GATED] if match else [(), ()]
        gated = len(shapes[0]) == len(shapes[1]) == 2 and shapes[0][0] == 2 * shapes[1][1]
        found[f"{match[1]}{GATED[match[2]]}{match[3]}" if gated else name] = value
    return found


def _of_timm(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """timm's names of networks with registers, which it calls reg_token.

    Of a DINOv2 it has added the class token's position to that token: so that one is zero here. A DINOv3 has its layer
    scales beside the layers, and biases of queries and values by themselves, or none, where all are zero.
    """
    tail = next((name for name in content if re.fullmatch(r"(.*\.)?reg_token", name)), None)
    if tail is None:
        return content
    start = tail.removesuffix("reg_token")
    found = {(f"{start}register_tokens" if name == tail else name): value for name, value in content.items()}
    positions = found.get(f"{start}pos_embed")
    if positions is None:
        return _of_timms_dinov3(found)
    if (
        isinstance(positions, np.ndarray)
        and positions.ndim == 3
        and math.isqrt(positions.shape[1]) ** 2 == positions.shape[1]
    ):
        found[f"{start}pos_embed"] = np.pad(positions, ((0, 0), (1, 0), (0, 0)))
    return found


def _of_timms_dinov3(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found = {}
    for name, value in content.items():
        if re.fullmatch(r".*\.attn\.[qv]_bias", name):
            continue
        found[re.sub(r"(blocks\.\d+\.)gamma_(\d)$", r"\1ls\2.gamma", name)] = value
        attention = re.fullmatch(r"(.*\.attn\.)qkv\.weight", name)
        if not attention or f"{attention[1]}qkv.bias" in content or not isinstance(value, np.ndarray):
            continue
        none = np.zeros(value.shape[0] // 3, value.dtype)
        query, values = (content.get(f"{attention[1]}{part}_bias", none) for part in "qv")
        found[f"{attention[1]}qkv.bias"] = np.concatenate([query, none, values])
    return found


def name_of(state: Mapping[str, Any]) -> str:
    """The encoder that a state under facebookresearch's names is of, such as "dinov2_vits14_reg"; "" if of none."""
    token = state.get("cls_token")
    letter = LETTERS.get(token.shape[-1]) if token is not None else None
    if letter is None:
        return ""
    if "pos_embed" not in state and letter != "g":
        return f"dinov3_vit{letter}16"
    return f"dinov2_vit{letter}14{'_reg' if 'register_tokens' in state else ''}"


def grid_of(state: Mapping[str, Any]) -> int:
    """The side, in patches, that a state's position embeddings are for."""
    return math.isqrt(state["pos_embed"].shape[1] - 1)


def blocks_of(state: Mapping[str, Any]) -> int:
    """Number of a state's blocks."""
    return len({found[1] for name in state if (found := re.match(r"blocks\.(\d+)\.", name))})


def misfit(state: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """What to change where a state is of another transformer than the parameters; "" if that cannot be told."""
    if "cls_token" not in state:
        return ""
    name, channels = name_of(state), state["cls_token"].shape[-1]
    if channels != params["cls_token"].shape[-1]:
        own, of = params["cls_token"].shape[-1], f"'{name}' (model.width=64)" if name else "one of that size"
        return f"The weights have {channels} channels, the encoder {own}: set model.encoder to {of}"
    if ("pos_embed" in state) != ("pos_embed" in params):
        kind = "DINOv2" if "pos_embed" in state else "DINOv3"
        return f"The weights are of a {kind}: set model.encoder to {repr(name) if name else 'one of those'}"
    if ("register_tokens" in state) != ("register_tokens" in params):
        has = "with" if "register_tokens" in state else "without"
        return f"The weights are of a transformer {has} registers: set model.encoder to its name {has} '_reg'"
    grid = grid_of(state) if "pos_embed" in state else 0
    if grid and state["pos_embed"].shape[1:] != params["pos_embed"].shape[1:]:
        return f"Their position embeddings are of {grid}x{grid} patches: set model.encoder_options.grid={grid}"
    blocks = blocks_of(state)
    if blocks != sum(name.startswith("block_") for name in params):
        return f"The weights have {blocks} blocks: set model.encoder_options.blocks={blocks}"
    return ""


# as facebookresearch and timm name them; what only training reads has no counterpart
NAMES = EncoderNames(
    torch_module,
    first="patch_embed",
    starts=rf"patch_embed|blocks\.\d+|cls_token|pos_embed|register_tokens|norm\.(?:weight|bias)|{TRAINING}",
    ignore=rf"(?:{TRAINING})(?:\.|$)",
    translate=translate,
    misfit=misfit,
)
