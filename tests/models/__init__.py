"""A package, so that this folder is on no path: without torch, the folder torch would be imported in its place."""
