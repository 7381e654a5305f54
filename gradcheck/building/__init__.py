"""From a description to a network: weights drawn, or read from files."""
