"""What can be verified: a cell's module, a network's module, and what the checks ask of both."""
