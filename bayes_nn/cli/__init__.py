"""The command line ``bayes-nn``: commands, their options, tables from files, and what is printed."""

from bayes_nn.cli.commands import app, main

__all__ = ["app", "main"]
