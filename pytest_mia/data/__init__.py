"""Records as the user gives them: containers, classes, groups, duplicates, memberships. Imports `statistics`, `core`."""
