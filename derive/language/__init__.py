"""What an equation is: text → expressions with shapes, over a table of functions."""
