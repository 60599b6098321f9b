"""The posterior as a density: prior times likelihood on an unconstrained vector, and estimates of its integral."""
