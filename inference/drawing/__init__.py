"""What all pictures share: one colour for every rung of the ladder of priors, and the figure they are drawn into."""
