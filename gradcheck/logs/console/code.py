"""Source code among the lines of a console: what it assigns, formats and calls is no row of a log."""

import re

#: What opens a block of Python: its lines are indented further. A sentence of that many words is none.
_OPENS = re.compile(
    r"(?:(?:async )?def \w+\(.*|class \w+(?:\(.*\))?|for [\w, ()]+ in [\w.]+(?:[(\[].*)?|with [\w.]+[(.].*"
    r"|(?:if|elif|while) (?:not )?[\w.]+(?:\[[^\]]*\])?(?:\s*[<>=!%(+\-*/].*| (?:in|is|and|or|not) .*)?"
    r"|except(?: [\w.]+(?: as \w+)?)?|else|try|finally):\s*(?:#.*)?\Z"
)

#: What stands around a number when it is printed: no call.
_WRAPPED = r"(?:\w+\.)?(?:tensor|\w*array|b?float\d*|double|decimal|scalar)\("

#: A name that is assigned to.
_NAME = r"^[\w.]+(?:\[[^\]]*\])?\s*=\s*"

#: What a line of code has, and hardly any line of a log.
_CODE = re.compile(
    "|".join(
        (
            r"\.(?:item|parameters|backward|detach|cpu|numpy|mean|sum|zero_grad|size)\(\)",
            r"\)\s*\*\*\s*[\d.]|[\w\]]\s*\*\*\s*[\d.]+\s*(?:#.*)?\Z",  # norm(x) ** 2
            r"\bself\.\w",
            r"[\w)\]]\s*[-+*/]=\s",  # loss += 1
            r"\{[^{}'\"]*:[^{}'\"]*[defgs%]\}",  # {loss:.3f}
            r"(?<!\d)%\.?\d+[dfeg]\b",  # %.3f
            r"^[\w.]*[a-z_]\w*\.[a-z_]\w*\(",  # torch.nn.utils.clip_grad_norm_(…
            r"^(?:from [\w.]+ import\b|import [\w.]+|return\b.*[(*/]|assert\b|print\s*\(|#include |#define )",
            rf"{_NAME}(?:(?:None|True|False)\s*(?:#.*)?\Z|float\(['\"])",  # a value that is none yet
            rf"{_NAME}(?!(?i:{_WRAPPED}))[a-z_][\w.]*\(",
        )
    )
)

#: A sum that begins: ``grad_norm = 0.0``. Such a line is code after other code; alone it may be a loss that is zero.
_BEGINS_A_SUM = re.compile(r"[A-Za-z_]\w* = 0?\.?0*\s*(?:#.*)?\Z")

#: What any of these lines has.
_NEEDED = re.compile(r"[=(%{]|^import|^assert|^return|self\.")

#: Longer lines are no code that somebody wrote.
LONGEST = 400


def is_code(text: str) -> bool:
    """Whether a line says that it is code."""
    return len(text) <= LONGEST and bool(_NEEDED.search(text) and _CODE.search(text))


class Block:
    """Tells lines within a block of code: they are indented further than the line that opened it."""

    def __init__(self) -> None:
        self._indent = -1  # of the line that opened the block; −1 outside of any
        self._beside = False  # the line before is code

    def has(self, line: str, text: str) -> bool:
        """Whether a line belongs to a block, or opens one; `text` is what it has beside the blanks around it."""
        if not text or len(text) > LONGEST:
            return not text and self._indent >= 0
        if self._indent < 0 and text[-1] != ":" and "#" not in text:
            return False
        indent = line.expandtabs().index(text[0])
        if 0 <= self._indent < indent:
            self._beside = True
            return True
        self._indent = indent if _OPENS.match(text) else -1
        self._beside = self._beside or self._indent >= 0
        return self._indent >= 0

    def is_beside(self, text: str) -> bool:
        """Whether a line outside of any block is code, or sets a name to zero beside code."""
        self._beside = is_code(text) or (self._beside and bool(_BEGINS_A_SUM.match(text)))
        return self._beside
