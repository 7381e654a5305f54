"""The text that a training run prints: its lines, their numbers, and what each is called."""
