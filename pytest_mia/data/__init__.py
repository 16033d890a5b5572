"""Records as a user gives them: containers, classes, groups, duplicates, halves. Imports `statistics` and `core`."""
