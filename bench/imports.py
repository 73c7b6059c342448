"""What it costs to import SARA and to ask for its help page, against a bare Python."""

from __future__ import annotations

import subprocess
import sys
import time

ROUNDS = 7


def best(*command: str) -> float:
    """The fastest of some runs, in milliseconds: what the code costs, without what else the machine does."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        times.append((time.perf_counter() - start) * 1_000)
    return min(times)


def main() -> None:
    """Print milliseconds and ratios."""
    bare = best("-c", "pass")
    print(f"python -c pass            {bare:7.0f} ms   × 1.0")
    for name, command in (
        ("import sara", ("-c", "import sara")),
        ("every name of sara", ("-c", "import sara\nfor name in sara.__all__: getattr(sara, name)")),
        ("import aiohttp", ("-c", "import aiohttp")),
        ("import openai", ("-c", "import openai")),
        ("sara --help", ("-m", "sara", "--help")),
    ):
        took = best(*command)
        print(f"{name:25} {took:7.0f} ms   × {took / bare:.1f}")
    probe = "import sys, sara.cli.app\nsys.exit(any(name in sys.modules for name in ('openai', 'aiohttp', 'pydantic')))"
    subprocess.run([sys.executable, "-c", probe], check=True)
    print("neither openai, aiohttp nor pydantic is imported for `sara --help`")


if __name__ == "__main__":
    main()
