"""Compare the CPU time and the results of an evaluation of two checkouts of colorgan, in pairs of runs that alternate.

    taskset -c 0 python benchmarks/evaluating.py OLD NEW [--pairs 1] -- --data PHOTOGRAPHS --ckpt CKPT [OPTION ...]

OLD and NEW are checkouts; what follows `--` are the arguments of `colorgan.evaluate`, with absolute paths. Prints the
CPU seconds of each run, user and system, and their ratio; then the means that differ as tables show them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from colorgan.metrics.variants import KNOWN


def measure(checkout: Path, arguments: list[str]) -> tuple[float, dict[str, dict[str, float]]]:
    """Return the CPU seconds of an evaluation, and its means as tables show them: system -> metric -> mean.

    Raises:
        SystemExit: the evaluation failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        command = [sys.executable, "-m", "colorgan.evaluate", *arguments, "--json", str(file)]
        process = subprocess.Popen(command, cwd=checkout, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{checkout}: the evaluation failed")
        results = json.loads(file.read_text(encoding="utf-8"))
    systems = results["systems"] | {"truth": results["truth"]}
    means = {
        name: {key: KNOWN[key].format(value["mean"]) for key, value in values.items() if value["mean"] is not None}
        for name, values in systems.items()
    }
    return usage.ru_utime + usage.ru_stime, means


def main() -> None:
    """Print the times and the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("arguments", nargs="+", help="of colorgan.evaluate")
    args = parser.parse_args()
    ratios = []
    for i in range(args.pairs):
        order = (args.old, args.new) if i % 2 == 0 else (args.new, args.old)
        runs = {checkout: measure(checkout, args.arguments) for checkout in order}
        (old, before), (new, after) = runs[args.old], runs[args.new]
        ratios.append(new / old)
        print(f"old {old:.1f} s, new {new:.1f} s of CPU time", flush=True)
    print(f"new/old {statistics.median(ratios):.3f}; {args.pairs} pairs, nproc {os.cpu_count()}")
    for name, values in before.items():
        for key, mean in values.items():
            if after[name][key] != mean:
                print(f"{name}: {KNOWN[key].title} {mean}, now {after[name][key]}")


if __name__ == "__main__":
    main()
