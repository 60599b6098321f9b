"""Replica exchange: a ladder of temperings whose replicas are moved and swapped, for posteriors with many modes."""
