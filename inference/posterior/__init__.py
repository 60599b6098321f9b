"""Fitting a prior to data, and what a fitted posterior can be asked."""
