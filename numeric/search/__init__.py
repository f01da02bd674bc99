"""A search for recurrent cells: mutations of equations, proved, bounded and trained."""
