"""What the CPU of this machine can do, as far as the system tells."""

from __future__ import annotations

from pathlib import Path

DECIDES_NUMBERS = False

CPUINFO = Path("/proc/cpuinfo")
# Of x86 and of ARM, as Linux names them. AVX-NE-CONVERT only converts, which is what takes the time without it.
BF16 = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}


def has_bf16_units(cpuinfo: Path = CPUINFO) -> bool | None:
    """Whether the CPU computes in bfloat16 by itself; None where the system does not say.

    Where it does not, each product is converted by several instructions, and takes far longer than in fp32.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    listed = [line.partition(":")[2] for line in lines if line.split(":")[0].strip() in ("flags", "Features")]
    return bool(BF16 & set(listed[0].split())) if listed else None
