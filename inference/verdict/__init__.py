"""The verdict: which rung of the ladder of priors explains what the network gains, and how sure that is."""
