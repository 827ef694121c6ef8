"""One handler for each resource. Front ends call it through the seam (`seam.py`)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .seam import Handler


@functools.cache
def handler_of(resource: str) -> Handler:
    """Return the handler of a resource, by the name that programs use.

    Raises:
        KeyError: There is no such resource.
    """
    if resource == "RedisPasswordRotation":
        from .redis_password_rotation.handler import RedisPasswordRotationHandler

        return RedisPasswordRotationHandler()
    if resource == "RedisAclToken":
        from .redis_acl_user.token import RedisAclTokenHandler

        return RedisAclTokenHandler()
    if resource == "RedisAclUser":
        from .redis_acl_user.user import RedisAclUserHandler

        return RedisAclUserHandler()
    if resource == "RedisAclRetirement":
        from .redis_acl_user.retirement import RedisAclRetirementHandler

        return RedisAclRetirementHandler()
    raise KeyError(resource)
