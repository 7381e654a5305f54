"""Inputs and labels: digits, noise, text, the user's files."""
