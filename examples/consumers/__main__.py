"""Hand the token of an ACL user to Kubernetes, Vercel and GitHub, then retire the previous one."""

import pulumi
import pulumi_github as github
import pulumi_kubernetes as kubernetes
import pulumiverse_vercel as vercel

from pulumi_upstash_rotation import RedisAclUser

config = pulumi.Config()
labels = {"app": "shop"}

user = RedisAclUser(
    "shop",
    database_id=config.require("databaseId"),
    username="shop",
    rules=["~shop:*", "+@read", "+@write", "+ping"],
    triggers={"release": config.require("release")},
)
token_id = {"redis-token": user.credential_fingerprint}  # not secret

# A pod reads the Secret when it starts. A new annotation starts new pods. Pulumi waits for them.
secret = kubernetes.core.v1.Secret("shop", string_data={"REDIS_URL": user.redis_url})
pods = kubernetes.apps.v1.Deployment(
    "shop",
    spec={
        "selector": {"match_labels": labels},
        "template": {
            "metadata": {"labels": labels, "annotations": token_id},
            "spec": {
                "containers": [
                    {
                        "name": "shop",
                        "image": config.require("image"),
                        "env_from": [{"secret_ref": {"name": secret.metadata.name}}],
                    }
                ]
            },
        },
    },
)

# A deployment at Vercel keeps the variables with which it was built.
project = config.require("vercelProject")
variable = vercel.ProjectEnvironmentVariable(
    "shop",
    project_id=project,
    key="REDIS_URL",
    value=user.redis_url,
    targets=["production"],
    sensitive=True,
)
site = vercel.Deployment(
    "shop",
    project_id=project,
    ref=config.require("branch"),
    production=True,
    meta=token_id,
    opts=pulumi.ResourceOptions(depends_on=[variable], replace_on_changes=["meta"]),
)

# A job reads the secret when it starts.
actions = github.ActionsSecret(
    "shop",
    repository=config.require("repository"),
    secret_name="REDIS_URL",
    value=user.redis_url,
)

user.retire_previous(after=[secret, pods, variable, site, actions], grace_seconds=60)
