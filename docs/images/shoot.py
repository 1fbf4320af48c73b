"""Photograph a report for the README, in light and dark, in headless Chromium.

    python docs/images/shoot.py runs/quickstart/report/report.html

writes `report.png` and `report-dark.png` beside this file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))

import chromium  # noqa: E402

PICTURES = {"report.png": "light", "report-dark.png": "dark"}


def main() -> None:
    """Take both pictures."""
    options = argparse.ArgumentParser(description="Photograph a report for the README.")
    options.add_argument("report", type=Path, help="path of report.html")
    options.add_argument("--width", type=int, default=1280, help="of the window, in pixels")
    options.add_argument("--height", type=int, default=1000, help="how much of the page, in pixels")
    options.add_argument("--into", type=Path, default=HERE, help="folder for the pictures")
    chosen = options.parse_args()
    executable = chromium.find()
    if executable is None:
        sys.exit("No chromium on the PATH. On Debian: apt-get install chromium")
    with chromium.browser(executable) as browser:
        for name, scheme in PICTURES.items():
            browser.open(chosen.report, chosen.width, scheme)
            browser.shoot(chosen.into / name, height=chosen.height, scale=1.5)


if __name__ == "__main__":
    main()
