"""Gaussian processes given their kernel matrices or features: evidence, predictions and draws."""
