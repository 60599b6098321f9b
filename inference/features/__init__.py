"""What the features of networks learnt from the data, and how much that gains, on the same task and on another."""
