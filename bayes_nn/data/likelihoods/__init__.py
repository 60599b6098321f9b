"""Likelihoods: one file for every way in which the observed y depends on the latent functions f."""
