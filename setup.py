"""What `pyproject.toml` cannot say without a warning: the int8 kernel is compiled where there is a compiler.

Without it the package is installed all the same, and ONNX Runtime serves.
"""

from setuptools import Extension, setup

KERNEL = Extension(
    "understudy.runtime._vnni",
    sources=["understudy/runtime/_vnni.c"],
    depends=["understudy/runtime/_vnni.h"],
    extra_compile_args=["-O2"],
    py_limited_api=True,  # one file for all Pythons
    optional=True,
)

setup(ext_modules=[KERNEL])
