"""A database that is in use, or in the state of the Python package, moves to the native plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..support.assertions import opens
from ..support.programs import exported

if TYPE_CHECKING:
    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory

TYPE: Final = "upstash-rotation:index:RedisPasswordRotation"
HEAD: Final = "name: test\nruntime: yaml\n"
PROGRAM: Final = """\
resources:
  cache:
    type: upstash-rotation:RedisPasswordRotation
    properties:
      databaseId: {id}
outputs:
  redisUrl: ${{cache.redisUrl}}
"""


def test_a_program_in_yaml_takes_over_the_state_of_a_dynamic_resource_and_resets_nothing(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(exported("cache", database_id=database.id))
    stack.up()
    assert database.resets == 1
    (stack.project / "__main__.py").unlink()
    (stack.project / "Pulumi.yaml").write_text(HEAD + PROGRAM.format(id=database.id))
    stack.up()
    assert database.password in stack.outputs()["redisUrl"]
    (kept,) = (each for each in stack.resources() if each["urn"].endswith("::cache"))
    assert kept["type"] == TYPE
    assert "unchanged" in stack.preview("--expect-no-changes")
    stack.destroy()
    assert database.resets == 1


def test_an_import_adopts_the_password_of_a_database_and_resets_nothing(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack()
    (stack.project / "Pulumi.yaml").write_text(HEAD)
    stack.on_stack("import", TYPE, "cache", database.id, "--yes", "--protect=false")
    (stack.project / "Pulumi.yaml").write_text(HEAD + PROGRAM.format(id=database.id))
    assert "updated" not in stack.up()
    assert database.password in stack.outputs()["redisUrl"]
    assert opens(database, database.password, upstash_emulator)
    assert database.resets == 0
