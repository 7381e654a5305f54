"""Numbers as one types and says them."""


def counted(number: int, what: str) -> str:
    """Return a number of things in words: ``1 layer``, ``2 layers``."""
    return f"{number} {what if number == 1 else what + 's'}"


def the_loss(name: str) -> str:
    """Return what a loss of this name is called: ``the loss nll``; one that is called so already is named once."""
    return "the loss" if name.rpartition(".")[2] == "loss" else f"the loss {name}"


def shortest(value: float) -> str:
    """Return a number in its shortest form that reads back the same, with all its digits where it needs them."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def as_percent(share: float | None) -> str:
    """Return a share in per cent, a dash for None; none and all are said only where they are exact."""
    if share is None:
        return "-"
    percent = 100 * share
    return "<1 %" if 0 < percent <= 0.5 else ">99 %" if 99.5 <= percent < 100 else f"{percent:.0f} %"
