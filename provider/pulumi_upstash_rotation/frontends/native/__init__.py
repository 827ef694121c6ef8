"""The native plugin: the same resources for every Pulumi language."""
