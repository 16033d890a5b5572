"""A package, since attacks have a registry and a noise of labels too."""
