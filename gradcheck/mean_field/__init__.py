"""Infinitely wide networks: Gaussian pre-activations, whose variance and correlation pass from layer to layer by maps."""
