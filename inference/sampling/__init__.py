"""Samplers of a posterior: each is a file of settings that know how to draw."""
