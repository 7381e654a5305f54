"""What models of all frameworks are measured and judged by alike."""

import math

#: The largest power of two by which the loss is scaled so that its gradient begins at 1.
LARGEST_SHIFT = 100

#: log10 of numbers from which sums of squares may overflow.
LARGE = 15

#: Fewer different examples than this have no rank to speak of.
DIFFERENT = 3

#: Weights that point so far in one direction are a copy, as those of a target network or a teacher are.
COPY = 0.5

#: A factor all of whose entries are smaller is nearly zero; LayerScale starts at 1e-4 to 1e-6.
SMALL_FACTOR = 1e-2

#: Targets are out of reach where so large a share of their variance is.
UNREACHED = 0.05

#: The target that cross-entropy ignores, as PyTorch's does.
IGNORED = -100


def shift_to_one(largest: float) -> int:
    """Return the power of two that brings a gradient of this largest entry to about 1: so it has all floats' range."""
    if not largest or not math.isfinite(largest):
        return 0
    return max(-LARGEST_SHIFT, min(LARGEST_SHIFT, -math.frexp(largest)[1]))
