"""``probe`` for Keras 3."""
