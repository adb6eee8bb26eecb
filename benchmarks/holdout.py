"""Make a folder of links to photographs, with some training pictures moved to val/, for a larger evaluation set.

    python benchmarks/holdout.py ROOT OUT [--pictures 1500]

The training pictures with the lowest hashes of their names are held out, so that the choice is always the same.
"""

import argparse
import hashlib
from pathlib import Path

from colorgan.data.folder import find_images


def digest(name: str) -> str:
    """Return the SHA-256 of a photograph's path below train/."""
    return hashlib.sha256(name.encode()).hexdigest()


def link(file: Path, target: Path) -> None:
    """Make `target` a link to `file`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(file)


def main() -> None:
    """Link all photographs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="photographs: train/ and val/")
    parser.add_argument("out", type=Path, help="new folder for the links")
    parser.add_argument("--pictures", type=int, default=1500, help="number of pictures to hold out (%(default)s)")
    args = parser.parse_args()
    if args.out.exists():
        raise SystemExit(f"{args.out}: exists already; give another folder")
    root = args.root.resolve()
    train, val = find_images(root / "train"), find_images(root / "val")
    held = sorted(train, key=digest)[: args.pictures]
    for name in sorted(set(train) - set(held)):
        link(root / "train" / name, args.out / "train" / name)
    for name in val:
        link(root / "val" / name, args.out / "val" / name)
    for name in map(Path, held):
        link(root / "train" / name, args.out / "val" / name.parent / f"train-{name.name}")
    print(f"{args.out}: {len(train) - len(held):,} training pictures, {len(val) + len(held):,} validation pictures")


if __name__ == "__main__":
    main()
