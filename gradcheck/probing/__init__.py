"""A user's own model, whatever framework computes it: what its pass is measured by, and how that is judged."""
