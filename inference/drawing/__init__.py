"""What all pictures share: a colour for every rung of the ladder of priors, the figure, and its copy by Plotly."""
