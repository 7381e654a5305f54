"""Readers of training logs: a file goes in, series of numbers of bounded size come out."""
