"""The provider's side of Pulumi's dynamic resources. It runs in the provider's process."""
