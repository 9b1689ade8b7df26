"""Options of XLA's CPU compiler that differ between versions of jax: those that compile quickly, and the usual ones."""

from __future__ import annotations

from importlib.metadata import version

# jax 0.12 has fusion emitters only, and ends a process that is given the option
_CHOOSES_EMITTERS = tuple(int(part) for part in version("jaxlib").split(".")[:2]) < (0, 12)
_WITHOUT, _WITH = ({"xla_cpu_use_fusion_emitters": chosen} if _CHOOSES_EMITTERS else {} for chosen in (False, True))

# A third of the time to compile, and for small programs that is nearly all. Without fusion emitters scatters become
# loops, and a little is fused differently (up to 3 % of the bytes, a tenth of the fusions).
FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True, **_WITHOUT}
AS_USERS = _WITH  # where FAST is what the environment says


def as_flags(options: dict[str, int | bool]) -> str:
    """The options as XLA_FLAGS has them."""
    return " ".join(f"--{name}={str(value).lower()}" for name, value in options.items())
