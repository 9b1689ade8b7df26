"""What the method's page says, in PyTorch and NumPy: outputs and gradients of `made`'s inputs, named as recorded."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F

Arrays = Mapping[str, np.ndarray]
UNKNOWN = 250  # the label of pixels without a class
TINY = 1e-7


def gradients(value: torch.Tensor, inputs: Mapping[str, torch.Tensor], weight: torch.Tensor | None = None) -> Arrays:
    """Of a scalar, or of a map times its weight, by names."""
    value = value if weight is None else (value * weight).sum()
    return dict(zip(inputs, torch.autograd.grad(value, list(inputs.values()), retain_graph=True), strict=True))


def motion(axis_angle: torch.Tensor, translation: torch.Tensor, *, inverse: bool = False) -> torch.Tensor:
    """[B,4,4] of [B,1,3]: rotation, then translation; the inverse turns both around."""
    angle = axis_angle.norm(dim=-1, keepdim=True)
    x, y, z = ((axis_angle / (angle + TINY))[:, 0, i] for i in range(3))
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    axis = torch.stack([x, y, z], -1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotation = cos * torch.eye(3, dtype=x.dtype) + sin * cross + (1 - cos) * axis[:, :, None] * axis[:, None, :]
    moved = torch.eye(4, dtype=x.dtype).repeat(len(x), 1, 1)
    turned = moved.clone()
    turned[:, :3, :3] = rotation.transpose(1, 2) if inverse else rotation
    moved[:, :3, 3] = -translation[:, 0] if inverse else translation[:, 0]
    return turned @ moved if inverse else moved @ turned


def geometry(t: Mapping[str, torch.Tensor], ranges) -> Arrays:
    out = {}
    for i, (near, far) in enumerate(ranges):
        scaled = 1 / far + (1 / near - 1 / far) * t["disp"]
        out |= {f"scaled_disp_{i}": scaled, f"depth_{i}": 1 / scaled}
        out[f"grad_disp_{i}"] = gradients(1 / scaled, {"disp": t["disp"]}, t["w_depth"])["disp"]
    out["rot"] = motion(t["axisangle"], torch.zeros_like(t["translation"]))
    for suffix, inverse in (("", False), ("_inv", True)):
        matrix = motion(t["axisangle"], t["translation"], inverse=inverse)
        both = {name: t[name] for name in ("axisangle", "translation")}
        out[f"T{suffix}"] = matrix
        out |= {f"grad_{name}{suffix}": g for name, g in gradients(matrix, both, t["w_T"]).items()}
    return out


def warping(t: Mapping[str, torch.Tensor], eps: float) -> Arrays:
    batch, _, height, width = t["depth"].shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)]).reshape(1, 3, -1).to(t["depth"].dtype)
    points = (t["inv_K"][:, :3, :3] @ places) * t["depth"].reshape(batch, 1, -1)
    points = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    out = {}
    for case in "abc":
        given = {name: t[f"{name}_{case}"] for name in ("axisangle", "translation")}
        matrix = motion(given["axisangle"], given["translation"], inverse=case == "c")
        seen = (t["K"] @ matrix)[:, :3] @ points
        pixels = (seen[:, :2] / (seen[:, 2:] + eps)).reshape(batch, 2, height, width).permute(0, 2, 3, 1)
        unit = 2 * pixels / torch.tensor([width - 1, height - 1], dtype=pixels.dtype) - 1
        warped = F.grid_sample(t["image"], unit, padding_mode="border", align_corners=True)
        out |= {f"T_{case}": matrix, f"cam_{case}": points, f"pix_{case}": unit, f"warp_{case}": warped}
        out |= {f"n_behind_{case}": (seen[:, 2] < 0).sum(), f"n_oob_{case}": (unit.abs() > 1).any(-1).sum()}
        found = gradients(warped, {"depth": t["depth"], "image": t["image"], "T": matrix, **given}, t["w"])
        out |= {f"grad_{name}_{case}": gradient for name, gradient in found.items()}
    return out


def similarity(t: Mapping[str, torch.Tensor]) -> Arrays:
    x, y = t["x"], t["y"]
    means = lambda image: F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), 3, 1)  # noqa: E731
    mx, my = means(x), means(y)
    top = (2 * mx * my + 0.01**2) * (2 * (means(x * y) - mx * my) + 0.03**2)
    bottom = (mx**2 + my**2 + 0.01**2) * ((means(x * x) - mx**2) + (means(y * y) - my**2) + 0.03**2)
    ssim = ((1 - top / bottom) / 2).clamp(0, 1)
    absolute = (y - x).abs().mean(1, keepdim=True)
    both = 0.85 * ssim.mean(1, keepdim=True) + 0.15 * absolute
    out = {"ssim": ssim, "reproj": both, "reproj_nossim": absolute}
    out |= {f"grad_ssim_{k}": g for k, g in gradients(ssim, {"x": x, "y": y}, t["w_ssim"]).items()}
    for value, suffix in ((both, ""), (absolute, "_nossim")):
        found = gradients(value, {"pred": x, "target": y}, t["w_rep"])
        out |= {f"grad_reproj_{k}{suffix}": g for k, g in found.items()}
    smooth = 0
    for axis in (2, 3):
        size = x.shape[axis] - 1
        steps = [(m.narrow(axis, 0, size) - m.narrow(axis, 1, size)).abs() for m in (t["disp"], x)]
        smooth = smooth + (steps[0] * torch.exp(-steps[1].mean(1, keepdim=True))).mean()
    out["smooth"] = smooth
    return out | {f"grad_smooth_{k}": g for k, g in gradients(smooth, {"disp": t["disp"], "img": x}).items()}


def entropies(t: Mapping[str, torch.Tensor]) -> Arrays:
    label, known = t["target"], t["target"] != UNKNOWN
    weight, of_class = t["pixel_weights"], t["class_weight"][t["target"].clamp(max=len(t["class_weight"]) - 1)] * known

    def each(logits: torch.Tensor, label: torch.Tensor = label) -> torch.Tensor:
        if logits.shape[2] != label.shape[1] and logits.shape[3] != label.shape[2]:
            logits = F.interpolate(logits, label.shape[1:], mode="bilinear", align_corners=True)
        return F.cross_entropy(logits, label, ignore_index=UNKNOWN, reduction="none")

    out = {"nanpw": each(t["logits"]).mean()}  # no weights, but the mean is over all pixels
    out["allignpw"] = (each(t["logits"], t["target_all_ignored"]) * weight).mean()
    for name, logits in (("plain", "logits"), ("small", "logits_small"), ("odd", "logits_odd")):
        values = {name: each(t[logits]).sum() / known.sum()}
        if name != "odd":
            values["pw" if name == "plain" else "smallpw"] = (each(t[logits]) * weight).mean()
        if name == "plain":
            values["cw"] = (each(t[logits]) * of_class).sum() / of_class.sum()
            values["cwpw"] = (each(t[logits]) * of_class * weight).mean()
        for key, value in values.items():
            out |= {key: value, f"grad_{key}": gradients(value, {"x": t[logits]})["x"]}
    return out


def uncertainties(t: Mapping[str, torch.Tensor]) -> Arrays:
    share = torch.softmax(t["logits"], 1)
    entropy = -(share * torch.log2(share + 1e-30)).sum(1) / np.log2(share.shape[1])
    out = {"entropy_norm0": entropy, "berhu_equal": torch.zeros(())}
    out["grad_entropy_norm0"] = gradients(entropy, {"x": t["logits"]}, t["w_ent"])["x"]
    for log in (0, 1):
        pair = [torch.log1p(t[k]) if log else t[k] for k in ("pred", "target")]
        off = (pair[0] - pair[1]).abs() * t["mask"]
        bound = 0.2 * off.max().item()
        value = torch.where(off <= bound, off, (off**2 + bound**2) / (2 * bound)).mean()
        found = gradients(value, {"pred": t["pred"], "target": t["target"]})
        out |= {f"berhu_log{log}": value, **{f"grad_berhu_{k}_log{log}": g for k, g in found.items()}}
    return out


def pseudo_labels(t: Mapping[str, torch.Tensor]) -> Arrays:
    best, label = t["softmax"].max(1)
    label = torch.where(best == 0, UNKNOWN, label)
    weight = (best >= 0.968).double().mean()
    out = {"pseudo_label": label, "weight": weight}
    for name in ("logits", "logits_small"):
        logits = t[name]
        if name == "logits_small":
            logits = F.interpolate(logits, label.shape[1:], mode="bilinear", align_corners=True)
        loss = (weight.to(logits.dtype) * F.cross_entropy(logits, label, ignore_index=UNKNOWN, reduction="none")).mean()
        out |= {f"loss_{name}": loss, f"grad_{name}": gradients(loss, {"x": t[name]})["x"]}
    return out


def distances(t: Mapping[str, torch.Tensor]) -> Arrays:
    plain = t["features"].detach()
    spread, mean = torch.std_mean(plain, dim=(0, 2, 3), keepdim=True)
    off = 1 - torch.eye(len(plain), dtype=plain.dtype)

    def between(x: torch.Tensor, p: float = 2.0) -> torch.Tensor:
        return (x.flatten(1)[:, None] - x.flatten(1)[None]).norm(p=p, dim=-1)

    def patches(x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(2).transpose(1, 2)  # [N,patches,channels]
        return (x[:, None, :, None] - x[None, :, None, :]).norm(dim=-1).amin(-1).mean(-1)

    norm = (plain - mean) / spread
    found = {"plain": between(plain), "norm": between(norm), "norm_bias": between(norm) + t["bias"][None]}
    found |= {"norm_p1": between(norm, 1.0), "norm_pw": patches(norm), "pw_bias": patches(plain) + t["bias"][None]}
    return {name: value * off for name, value in found.items()}


def mixing(t: Mapping[str, torch.Tensor]) -> Arrays:
    def mixed(mask: torch.Tensor, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        mask = mask.reshape(len(mask), *[1] * (one.ndim - 3), *mask.shape[1:])
        return mask * one + (1 - mask) * other

    out = {name: mixed(t["mask"], t[name], t[name].roll(-1, 0)) for name in ("img", "softmax", "lbl")}
    even, odd = t["img4"][::2], t["img4"][1::2]
    return out | {"half": torch.cat([mixed(t["mask_half"], even, odd), mixed(t["mask_half"], odd, even)])}


def scores(t: Mapping[str, torch.Tensor], classes: int, capped: int) -> Arrays:
    label, said = (t[name].numpy() for name in ("gt", "pred"))
    out = {}
    for suffix, real, found in (
        ("", label, said),
        ("_small", np.minimum(label[:1], capped), np.minimum(said[:1], capped)),
    ):
        table = np.array([[((real == i) & (found == j)).sum() for j in range(classes)] for i in range(classes)], float)
        hit, of_label, of_both = np.diag(table), table.sum(1), table.sum(0) + table.sum(1) - np.diag(table)
        iou = np.array([h / n if n else np.nan for h, n in zip(hit, of_both, strict=True)])
        recall = [h / n for h, n in zip(hit, of_label, strict=True) if n]
        weighted = sum(n * i for n, i in zip(of_label, iou, strict=True) if n) / of_label.sum()
        four = np.array([hit.sum() / table.sum(), np.mean(recall), weighted, np.nanmean(iou)])
        out |= {f"confusion{suffix}": table, f"class_iou{suffix}": iou, f"scores_acc_meanacc_fwacc_miou{suffix}": four}
    return out
