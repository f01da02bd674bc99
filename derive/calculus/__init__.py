"""A cell's derivation: named intermediates, adjoint, step Jacobian, through time."""
