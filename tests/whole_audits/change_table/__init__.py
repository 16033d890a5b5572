"""Changes of users' repositories, as data: those that matter to the models, by what changes, and those that don't."""
