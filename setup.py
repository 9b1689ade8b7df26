"""What pyproject.toml has no words for: configs/ of the repository is installed as sde_seg_jax/configs."""

from setuptools import find_namespace_packages, setup

configs = ["sde_seg_jax.configs", *(f"sde_seg_jax.configs.{name}" for name in find_namespace_packages("configs"))]

setup(
    packages=[*find_namespace_packages(include=["sde_seg_jax", "sde_seg_jax.*"]), *configs],
    package_dir={"sde_seg_jax.configs": "configs"},
    package_data={"sde_seg_jax": ["py.typed"], **{name: ["*.txt"] for name in configs}},
)
