"""The program side of Pulumi's dynamic resources: what programs declare and call."""
