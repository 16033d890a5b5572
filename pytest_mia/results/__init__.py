"""What an audit found, in built-in types. Imports `statistics` and `core`."""
