"""A package, so that pytest puts this folder on no path: without torch, the folder torch would be imported in its place."""
