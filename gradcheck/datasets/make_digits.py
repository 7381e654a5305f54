"""Turn scikit-learn's copy of the UCI handwritten digits into ``digits.npz`` (needs scikit-learn).

Run it as ``python gradcheck/datasets/make_digits.py``; the result is the same byte for byte.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]


def main() -> None:
    """Write the 1,797 images (pixels 0 … 16) and their labels (0 … 9) as unsigned bytes."""
    images, labels = load_digits(return_X_y=True)
    target = Path(__file__).with_name("digits.npz")
    np.savez_compressed(target, x=images.astype(np.uint8), y=labels.astype(np.uint8))


if __name__ == "__main__":
    main()
