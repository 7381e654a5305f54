"""Numbers as one types them."""


def shortest(value: float) -> str:
    """Return a number in its shortest form that reads back the same, with all its digits where it needs them."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
