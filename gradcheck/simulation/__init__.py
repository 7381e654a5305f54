"""``simulate``: one network, measured and judged."""
