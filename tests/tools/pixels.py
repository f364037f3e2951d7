"""Which screenshots differ: `python -m tests.tools.pixels BEFORE AFTER`.

Compares the PNGs of two folders that have the same names, pixel by pixel, and prints those that are
not equal, with the share of pixels that differ. Needs Pillow: `pip install pillow`.
"""

import argparse
import sys
from pathlib import Path

try:
    from PIL import Image, ImageChops
except ImportError:
    sys.exit("This needs Pillow, which is not installed: `pip install pillow`.")


def difference(before: Path, after: Path) -> str:
    """Say in what two pictures differ; "" if in nothing."""
    with Image.open(before) as one, Image.open(after) as other:
        if one.size != other.size:
            return f"{one.size[0]}x{one.size[1]} -> {other.size[0]}x{other.size[1]}"
        bands = ImageChops.difference(one.convert("RGBA"), other.convert("RGBA")).split()
    most = bands[0]
    for band in bands[1:]:
        most = ImageChops.lighter(most, band)
    differing = sum(most.histogram()[1:])
    return f"{differing / (most.width * most.height):.3%} of the pixels" if differing else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    folders = parser.parse_args()
    before, after = (
        {path.relative_to(folder): path for path in folder.rglob("*.png")}
        for folder in (folders.before, folders.after)
    )
    found = dict.fromkeys(before.keys() - after.keys(), "only before")
    found |= dict.fromkeys(after.keys() - before.keys(), "only after")
    found |= {name: difference(before[name], after[name]) for name in before.keys() & after.keys()}
    differing = {name: what for name, what in sorted(found.items()) if what}
    for name, what in differing.items():
        print(f"{name}: {what}")
    print(f"{len(found)} pictures, {len(differing)} not equal")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
