"""Rotations side by side in a program that is not in Python: the same cases in another text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pulumi_upstash_rotation.frontends.engine.names import camel

from .front_ends import core_names
from .stacks import Rotations


@dataclass
class YamlRotations(Rotations):
    """Rotations that a program in YAML declares. The argument `options` is Pulumi's own."""

    def write(self) -> None:
        """Write the program as it is declared."""
        resources = {
            name: {
                "type": "upstash-rotation:RedisPasswordRotation",
                "properties": properties,
                "options": options,
            }
            for name, properties, options in self.cases()
        }
        outputs = {name: f"${{{name}.redisUrl}}" for name in resources}
        program = {"name": "test", "runtime": "yaml", "resources": resources, "outputs": outputs}
        # JSON is YAML, too.
        (self.stack.project / "Pulumi.yaml").write_text(json.dumps(program))

    def cases(self) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Return the name, the properties and the options of each rotation."""
        return [
            (
                name,
                {"databaseId": each.database.id}
                | {camel(key): each.arguments[key] for key in each.arguments if key != "options"},
                each.arguments.get("options", {}),
            )
            for name, each in self._declared.items()
        ]

    def out(self, name: str) -> dict[str, Any]:
        """Return the outputs of a rotation under the core's names, secrets in clear."""
        if self._outputs is None:
            exported = json.loads(self.stack.on_stack("stack", "export", "--show-secrets"))
            resources = exported["deployment"]["resources"]
            self._outputs = {each["urn"]: each.get("outputs", {}) for each in resources}
        outputs = self._outputs[self.urn(name)]
        return core_names({key: in_clear(outputs[key]) for key in outputs})


def in_clear(value: Any) -> Any:
    """Return a value of a state that was exported with its secrets."""
    secret = isinstance(value, dict) and "plaintext" in value
    return json.loads(value["plaintext"]) if secret else value


@dataclass
class TypeScriptRotations(YamlRotations):
    """Rotations that a program in TypeScript declares, in the project of the example."""

    def write(self) -> None:
        """Write the program as it is declared."""
        lines = ['import { RedisPasswordRotation } from "pulumi-upstash-rotation";']
        for name, *values in self.cases():
            arguments = ", ".join(json.dumps(value) for value in (name, *values))
            lines += [
                f"const {name}_ = new RedisPasswordRotation({arguments});",
                f"export const {name} = {name}_.redisUrl;",
            ]
        (self.stack.project / "index.ts").write_text("\n".join(lines))

    def urn(self, name: str) -> str:
        """Return the URN of a rotation."""
        return f"urn:pulumi:{self.stack.name}::typescript::{self.front_end.type}::{name}"
