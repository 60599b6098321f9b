"""Data: what the user gives is checked here, brought to the model's scale and back, and predicted."""
