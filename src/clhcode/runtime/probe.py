"""What this machine has to run a model on; asked without importing what would run it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Probes:
    """What decides on an engine, beside the model itself.

    Attributes:
        cuda: Whether there is a CUDA device.
        llamacpp: Whether llama-cpp-python is installed.
        vllm: Whether vLLM is installed.
    """

    cuda: bool
    llamacpp: bool
    vllm: bool


def probe() -> Probes:
    """Looks at this machine."""
    return Probes(cuda(), _installed("llama_cpp"), _installed("vllm"))


@cache
def cuda() -> bool:
    """Whether the driver counts a device (`cuDeviceGetCount`); takes milliseconds."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return False
    return count.value > 0


def _installed(module: str) -> bool:
    return find_spec(module) is not None
