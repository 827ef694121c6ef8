"""The provider side of Pulumi's dynamic resources: what runs in the provider's process."""
