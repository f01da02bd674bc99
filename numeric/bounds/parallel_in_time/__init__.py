"""Newton over a whole trajectory: how far an iterate is from it, certified."""
