"""Which term of which equation a wrong gradient has wrong."""
