"""How Sphinx builds these pages: ``sphinx-build -W -n docs docs/_build``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import make_pages  # noqa: E402
from sphinx.ext.autodoc.mock import _MockObject  # noqa: E402

from gradcheck import __version__  # noqa: E402

project, author, release = "gradcheck", "The gradcheck developers", __version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"gradcheck {release}"
html_static_path, html_css_files = ["_static"], ["gradcheck.css"]
html_show_sphinx = html_show_copyright = html_copy_source = False

smartquotes = False  # --init stays as one types it

# Headings can be linked to as on any other page of Markdown.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# PyTorch isn't needed to read its docstrings; types are in them, in words.
autodoc_mock_imports = ["torch", "transformers", "lightning", "pytorch_lightning", "accelerate"]
_MockObject.__or__ = _MockObject.__ror__ = lambda self, other: object  # Tensor | None
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

make_pages.write(HERE / "generated")
