"""The room stands without torch, and without what only writing needs."""

from __future__ import annotations

import subprocess
import sys


def test_signals_are_read_and_configured_without_torch_or_safetensors():
    script = (
        "import sys; sys.modules['safetensors'] = None\n"
        "import recdistill.signals\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
