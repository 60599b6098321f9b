"""Estimators of the log evidence, one file each, and its first-order dependence on the width."""
