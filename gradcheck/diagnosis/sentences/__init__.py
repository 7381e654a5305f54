"""The words of each cause: codes go in, sentences come out. Loads no NumPy."""
