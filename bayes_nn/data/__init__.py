"""Data: what the user gives is checked here, brought to the model's scale and back, and predicted."""

import bayes_nn.runtime  # noqa: F401  switches to float64
