"""Other people's frameworks: what measures a user's own model."""
