"""The tests; each folder is one room of the house, or one way of looking at all of it."""
