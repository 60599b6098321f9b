"""Comparing priors on the same data: scores, the verdict, files, sweeps over widths and learning curves."""
