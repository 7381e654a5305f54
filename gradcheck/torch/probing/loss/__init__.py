"""What lies between a model's output and its loss, and what a loss of the user's own makes of it."""
