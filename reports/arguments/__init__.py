"""What commands are given: cells, files, networks."""
