"""Figures and the HTML page: everything is drawn from tables and arrays, and nothing is computed."""
