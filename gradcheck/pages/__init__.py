"""A report as one page for a browser: what it holds, as plain data, and how that becomes a file of its own."""
