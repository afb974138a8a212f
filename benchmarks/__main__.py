"""`python -m benchmarks [NAME-PREFIX]`: prints each reading as soon as it is taken."""

from __future__ import annotations

import importlib
import sys

from benchmarks import registry


def main(only: str = "") -> int:
    for module in registry.MODULES:
        importlib.import_module(module)
    chosen = {name: figure for name, figure in registry.FIGURES.items() if name.startswith(only)}
    if not chosen:
        print(f"There is no figure {only}. There are: {', '.join(registry.FIGURES)}", file=sys.stderr)
        return 2
    for figure in chosen.values():
        for reading in figure():
            print(reading, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
