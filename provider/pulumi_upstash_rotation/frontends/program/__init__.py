"""The program's side of Pulumi's dynamic resources. Programs declare and call it."""
