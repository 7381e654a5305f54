"""Which learning rate a user's own model takes."""
