"""Posteriors of few latents, such as those of kernels: quadrature over a grid, and adaptive importance sampling."""
