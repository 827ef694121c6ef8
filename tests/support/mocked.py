"""Run a program with Pulumi's mocks, and print the resources that it registers, as JSON.

Usage: mocked.py PROGRAM. It imports nothing else of the tests, because another environment runs it.
The mocks stand for a rotation. The variable SHOWN names the token that the Kubernetes Secret shows.
"""

from __future__ import annotations

import base64
import json
import os
import runpy
import sys
from typing import Any

import pulumi

TOKENS = {"current": "current-token-0123456789", "earlier": "earlier-token-9876543210"}
CONFIG = ("databaseId", "release", "image", "vercelProject", "branch", "repository")


def url(token: str) -> str:
    return f"rediss://shop:{TOKENS[token]}@127.0.0.1:6379"


class Answers(pulumi.runtime.Mocks):
    """Answers as the engine and the providers do after a rotation."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, Any]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        kind = args.typ.rpartition(":")[2]
        inputs = {name: value for name, value in args.inputs.items() if name != "__provider"}
        self.registered.append((kind, inputs))
        outputs: dict[str, Any] = {}
        if kind == "RedisAclToken":
            outputs = {
                "token": TOKENS["current"],
                "previous_tokens": [TOKENS["earlier"]],
                "redis_url": url("current"),
                "rest_url": "https://127.0.0.1",
                "credential_fingerprint": "fingerprint",
            }
        if kind == "Secret":
            shown = base64.b64encode(url(os.environ["SHOWN"]).encode()).decode()
            outputs = {"metadata": {"name": "shop-1"}, "data": {"REDIS_URL": shown}}
        return args.name, {**args.inputs, **outputs}

    def call(self, _args: object) -> dict[str, Any]:
        return {}


@pulumi.runtime.test
def run(program: str) -> None:
    runpy.run_path(program)


if __name__ == "__main__":
    answers = Answers()
    pulumi.runtime.set_mocks(answers, project="consumers")
    pulumi.runtime.set_all_config({f"consumers:{name}": name for name in CONFIG})
    run(sys.argv[1])
    json.dump(answers.registered, sys.stdout)
