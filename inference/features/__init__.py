"""What networks learnt from the data: their features, what those gain here and on another task, their functions."""
