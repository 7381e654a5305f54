"""The chain rule in NumPy: each block maps an array to its output and its pullback."""
