"""How the peer computes: plain float32, TF32 convolutions, or compiled with bfloat16 networks; and the networks so."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from peer import geometry
from peer.network import PeerNetwork, PeerOutputs

COMPILE = {"fullgraph": True, "dynamic": False}
MOST_VARIANTS = 64  # of one function: several networks, several peers in a process


@dataclasses.dataclass(frozen=True)
class Mode:
    """A way to compute.

    compiled: torch.compile, channels last, a fused optimiser, and on a GPU bfloat16 autocast of the networks. Networks,
    poses, mixing and losses are compiled apart, each without graph breaks, because the augmentations between them are
    not: they skip what was not drawn, with the host's draws.
    """

    dtype: torch.dtype = torch.float32
    tf32: bool = False  # of convolutions; the matrix products of projections stay float32
    compiled: bool = False

    def switch(self) -> None:
        """Sets PyTorch's global switches; before every step, as peers of several modes may take turns."""
        torch.backends.cudnn.benchmark = True  # shapes are fixed
        torch.backends.cudnn.allow_tf32 = self.tf32
        torch.backends.cuda.matmul.allow_tf32 = False

    def compile(self, function: Callable) -> Callable:
        """`function`, compiled if this mode is. Raises, when it runs, at a graph break or after too many shapes."""
        if not self.compiled:
            return function
        torch._dynamo.config.recompile_limit = MOST_VARIANTS
        return torch.compile(function, **COMPILE)

    def place(self, network: PeerNetwork, device: torch.device) -> PeerNetwork:
        """The same network, as this mode wants it."""
        network.to(device, self.dtype)
        if self.compiled:
            torch._dynamo.config.recompile_limit = MOST_VARIANTS
            network.to(memory_format=torch.channels_last).compile(**COMPILE)
        return network

    def autocast(self, device: torch.device) -> contextlib.AbstractContextManager:
        """For networks alone, on a GPU: what losses compute needs float32, and on a CPU all contenders use it."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.compiled and device.type == "cuda")


MODES = {
    "float64": Mode(torch.float64),  # to compare results
    "eager": Mode(),
    "tf32": Mode(tf32=True),
    "compiled": Mode(tf32=True, compiled=True),
}


class Networks:
    """The networks of a task and their passes on images [B,3,H,W] in [0,1]."""

    def __init__(
        self,
        student: PeerNetwork,
        teacher: PeerNetwork | None,
        frozen: dict[str, PeerNetwork],
        mode: Mode,
        device: torch.device,
    ):
        self.mode, self.device = mode, device
        self.student = mode.place(student, device).train()
        self.teacher = None if teacher is None else mode.place(teacher, device).train().requires_grad_(False)
        self.frozen = {name: mode.place(net, device).eval().requires_grad_(False) for name, net in frozen.items()}
        self.poses = mode.compile(self._poses)  # frames [B,3,3,H,W] -> source_from_target [B,2,4,4]

    def train(self, image: Tensor) -> PeerOutputs:
        """The student's training pass, with dropout."""
        with self.mode.autocast(self.device):
            return self.student(self._laid_out(image), dropout=True)

    @torch.no_grad()
    def ask_teacher(self, image: Tensor) -> PeerOutputs:
        """The teacher's pass: statistics of the batch, no dropout, no gradient."""
        with self.mode.autocast(self.device):
            return self.teacher(self._laid_out(image))

    @torch.no_grad()
    def ask_frozen(self, name: str, image: Tensor) -> PeerOutputs:
        """A frozen network's pass: running statistics, no gradient."""
        with self.mode.autocast(self.device):
            return self.frozen[name](self._laid_out(image))

    def _poses(self, frames: Tensor) -> Tensor:
        def pose(earlier: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
            with self.mode.autocast(self.device):
                return self.student.pose(earlier, later)

        return geometry.source_poses(pose, frames)

    def _laid_out(self, image: Tensor) -> Tensor:
        return image.contiguous(memory_format=torch.channels_last) if self.mode.compiled else image
