"""What every part of the text shares: colours, and replacements for characters that a terminal lacks."""

from gradcheck.render.bars import BLOCKS

#: One colour for each flag and verdict, readable on dark and on light.
STYLES = {
    "ok": "green", "healthy": "green",
    "vanishing": "cyan", "exploding": "red", "collapsed": "yellow",
    "learned": "green", "learning": "yellow", "stuck": "yellow", "diverged": "red", "stopped": "bold red",
    "ordered": "cyan", "chaotic": "red", "critical": "green",
    "shrinking": "cyan", "growing": "red", "steady": "green",
    "no-gradient": "magenta", "not-learning": "yellow",
    "dead": "magenta", "saturated": "yellow", "nonfinite": "bold red", "error": "bold red",
}  # fmt: skip

#: The same of what a log shows.
LOG_STYLES = {
    "healthy": "green", "exploding": "red", "nonfinite": "bold red", "vanishing": "cyan", "collapsed": "yellow",
    "no-gradient": "magenta", "dead": "magenta", "spikes": "yellow", "always-clipped": "yellow",
    "update-ratio": "yellow", "never-clipped": "dim", "loss-rises": "red", "huge": "red", "not-zeroed": "yellow",
    "not-learning": "yellow", "loss-jump": "yellow", "zeros": "magenta", "clipped-scaled": "yellow",
    "drifting": "dim",    "not-computed": "dim", "scaled-norms": "dim", "tiny": "dim", "too-short": "yellow",
}  # fmt: skip

#: Columns by which the picture and the table are indented.
INDENT = 2

PLAIN = str.maketrans({
    "·": "-", "×": "x", "–": "-", "−": "-", "…": "...", "≥": ">=", "≤": "<=", "±": "+-", "→": "->", "‖": "||",
    "←": "<-", "∂": "d", "δ": "delta", "φ": "phi", "σ": "sigma", "χ": "chi", "π": "pi", "Σ": "sum", "√": "sqrt ",
    "²": "^2", "ᵀ": "^T", "α": "alpha", "ξ": "xi", "∇": "grad", "₁": "1",
})  # fmt: skip


def can_show_blocks(encoding: str) -> bool:
    """Whether an encoding has the characters of bars and sparklines."""
    try:
        "".join(BLOCKS).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def in_ascii(text: str) -> str:
    """Return the text with a likeness of each character that isn't ASCII."""
    return text.translate(PLAIN).encode("ascii", "replace").decode("ascii")


def without_controls(text: str) -> str:
    """Show the control characters of a file's name instead of obeying them."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def in_one_line(text: str, longest: int) -> str:
    """Return a message as one line of so many characters at most, its middle left out if there are more."""
    line = without_controls(" ".join(text.split()))
    half = (longest - 5) // 2
    return line if len(line) <= longest else f"{line[:half]} ... {line[-half:]}"


def escaped(text: str) -> str:
    """Keep a file's name from being read as Markdown, its control characters from being obeyed."""
    plain = "".join("\\" + one if one in "\\`*_[]<>|~&#" else one for one in without_controls(text))
    # GitHub looks for mentions in what is shown, after the backslashes are gone: a space of no width parts them
    return plain.replace("@", "@\u200b").replace("://", "\\://").replace("www.", "www\\.")
