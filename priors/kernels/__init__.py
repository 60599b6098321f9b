"""Kernels of infinitely wide networks and neural tangent kernels of finite ones."""
