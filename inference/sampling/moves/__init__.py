"""Markov moves that leave a tempered posterior invariant; SMC and Markov chains take any of them."""
