"""``compare``: many networks, ranked."""
