"""Whether two cells are one function under a map of parameters: search, proof, frameworks."""
