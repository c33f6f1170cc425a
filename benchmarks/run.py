"""`make bench`: every measurement, one after the other; `make bench ARGS="ingest lanes"` for some."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ORDER = ("ingest", "end_to_end", "lanes", "actions", "tokens")


def main() -> int:
    """Run the named measurements, all of them when none is named; 1 when one failed."""
    there = [name for name in ORDER if (HERE / f"{name}.py").exists()]
    wanted = sys.argv[1:] or there
    unknown = sorted(set(wanted) - set(there))
    if unknown:
        print(f"No measurement called {', '.join(unknown)}. There are: {', '.join(there)}.")
        return 2
    failed = 0
    for name in wanted:
        print(f"\n# {name}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        failed |= subprocess.run(command, cwd=HERE.parent, check=False).returncode  # noqa: S603
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
