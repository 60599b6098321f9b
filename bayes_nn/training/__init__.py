"""Training: ensembles of finite networks by gradient descent, with cross-validation."""
