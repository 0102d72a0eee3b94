"""One process of many: stages to run come as JSON lines on stdin, so that what is imported is imported once.

A line holds `env` (what torchrun would set), `kind`, `settings`, `target` and `inputs` (paths by name). "done" or a traceback
with "failed" behind it comes back. `float8` in the settings is emulated, since processes here are on a CPU.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from pathlib import Path

from understudy import recipe, stages
from understudy.training import machine
from understudy.training.float8 import use_float8


def main() -> None:
    machine.use_float8 = functools.partial(use_float8, emulate=True)
    for line in sys.stdin:
        job = json.loads(line)
        os.environ.update(job["env"])
        try:
            config = stages.parse_stage({"kind": job["kind"], **job["settings"]}, where=job["kind"])
            inputs = {name: Path(path) for name, path in job["inputs"].items()}
            recipe.run_stage(config, inputs, Path(job["target"]), seed=0)
            print("done", flush=True)
        except Exception:
            print(traceback.format_exc() + "failed", flush=True)


main()
