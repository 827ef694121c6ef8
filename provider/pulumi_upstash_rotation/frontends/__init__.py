"""Front ends: they translate between Pulumi and the handlers. Only they import Pulumi."""
