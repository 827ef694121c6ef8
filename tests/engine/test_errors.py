"""What a user reads when something is wrong: one line that can be acted on, and no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upstash_emulator import Emulator, Fault

from ..support.assertions import assert_live
from ..support.front_ends import DYNAMIC, NATIVE, through
from ..support.messages import MAY_HAVE_CHANGED
from ..support.programs import exported, rotation, write_program
from ..support.stacks import diagnostics_of, errors_of

if TYPE_CHECKING:
    from ..support.front_ends import FrontEnd
    from ..support.stacks import Rotations, StackFactory

NO_ACCOUNT: dict[str, str | None] = {"UPSTASH_EMAIL": None, "UPSTASH_API_KEY": None}
pytestmark = through(DYNAMIC, soak=NATIVE)


def checked(front_end: FrontEnd) -> str:
    return f"error: {front_end.type} resource 'cache' has a problem: "


def test_missing_credentials_show_in_the_preview_with_both_ways_to_set_them(
    upstash_emulator: Emulator, new_stack: StackFactory, front_end: FrontEnd
) -> None:
    config = front_end.config
    # The plugin reports it once for all resources.
    provider = "error: pulumi:providers:upstash-rotation resource 'default' has a problem: "
    where = provider if front_end is NATIVE else checked(front_end)
    database = upstash_emulator.databases[0]
    stack = new_stack(rotation("cache", database_id=database.id), environment=NO_ACCOUNT)
    assert errors_of(stack, "preview") == (
        f"{where}no Upstash credentials (e-mail and API key): set both on this stack with "
        f"`pulumi config set {config}:email you@example.com` and `pulumi config set --secret "
        f"{config}:apiKey`. Or set UPSTASH_EMAIL and UPSTASH_API_KEY in the environment"
    )
    stack.set_config(f"{config}:email", upstash_emulator.email)
    assert errors_of(stack, "up").startswith(
        f"{where}config {config}:apiKey is missing although config {config}:email is set"
    )
    stack.set_config(f"{config}:apiKey", upstash_emulator.api_key, secret=True)
    stack.up()
    assert database.resets == 1


OTHERS = "`pulumi up --continue-on-error` updates any other resources"
BAD_ID = (
    "database_id must be the id of an Upstash Redis database, such as "
    "96ad0856-03b1-4ee7-9666-e81abd0349e1 (letters, digits, - and _, at most 128)"
)
BAD_TRIGGERS = (
    "triggers must be a map from names to JSON values (numbers finite, "
    'integers at most 2^53), such as {"release": "2026-11"}'
)


def test_a_bad_input_is_one_line_in_the_preview_and_in_an_update(
    upstash_emulator: Emulator, new_stack: StackFactory, front_end: FrontEnd
) -> None:
    id_ = upstash_emulator.databases[0].id
    stack = new_stack(rotation("cache", database_id="a/b"))
    assert f"has a problem: {front_end.text(BAD_ID)}" in errors_of(stack, "preview")
    write_program(stack.project, rotation("cache", database_id="x", triggers=["x"]))
    assert f"has a problem: {BAD_TRIGGERS}" in errors_of(stack, "preview")

    # Of a rotation that exists, whose next moment the program computes itself.
    write_program(stack.project, exported("cache", database_id=id_))
    stack.up()
    bad: dict[str, object]
    for bad in ({"rotation_schedule": "never"}, {"rotation_days": "7"}):
        write_program(stack.project, exported("cache", database_id=id_, **bad))
        for command in ("preview", "up"):
            (name,) = bad
            line = f"{checked(front_end)}{front_end.text(name)} must be"
            assert errors_of(stack, command).startswith(line)
    assert upstash_emulator.resets == 1


def test_a_failed_rotation_is_one_line_for_a_create_and_an_update(rotations: Rotations) -> None:
    url = rotations.emulator.url
    faults = {
        "forbidden": (
            Fault.status(403),
            f"{url} rejected the request (403). Check the permissions of the API key; the password "
            "has not changed",
        ),
        "broken": (
            Fault.status(500),
            f"{url} failed (500); {MAY_HAVE_CHANGED}",
        ),
    }
    for name in faults:
        rotations.declare(f"{name}_update")
    rotations.up()
    expected = {}
    for name, (fault, message) in faults.items():
        for resource in (f"{name}_create", f"{name}_update"):
            database = rotations.declare(resource, triggers={"a": "b"})
            rotations.fault(resource, fault, "reset", None)
            label = f"Redis database {database.name!r} ({database.id})"
            expected[resource] = f"cannot reset the password of {label}: {message}"
    suspended = rotations.declare("suspended")
    suspended.suspend()
    expected["suspended"] = (
        f"Redis database {suspended.name!r} ({suspended.id}) is suspended and cannot be reset; "
        "nothing has changed. Resume it in the Upstash console first"
    )
    rotations.declare("unreadable")
    rotations.fault("unreadable", Fault.status(403), "get")
    rotations.tail = rotation("unknown", database_id="no-such-database")

    shown = rotations.failing_up()
    for name, line in expected.items():
        found = [each for each in diagnostics_of(shown, name) if "error" in each]
        # The engine announces a partial state with a line of its own.
        (error,) = [each for each in found if each.strip() != "error: 1 error occurred:"]
        assert error.removeprefix("error: ").strip(" *") == f"{line}. {OTHERS}"
    assert "Traceback" not in shown
    (unreadable,) = [line for line in diagnostics_of(shown, "unreadable") if "error: " in line]
    assert "rejected the request (403)" in unreadable
    assert unreadable.endswith(f"nothing has changed. {OTHERS}")
    assert "has no such database in this account (404); nothing has changed" in "\n".join(
        diagnostics_of(shown, "unknown")
    )
    updated = {f"{name}_update": 1 for name in faults}
    assert rotations.resets() == dict.fromkeys(rotations.resets(), 0) | updated

    # Once the cause is gone, the same program does what it could not do before.
    rotations.emulator.clear()
    suspended.resume()
    rotations.tail = ""
    rotations.up()
    assert rotations.resets() == dict.fromkeys(rotations.resets(), 1)
    assert_live(rotations, *rotations.resets())


def test_a_wait_shows_on_the_resources_row_with_its_reason(rotations: Rotations) -> None:
    for name in ("cache", "late"):
        rotations.declare(name)
    database = rotations.database("cache")
    rotations.fault("cache", Fault.status(429, retry_after=2), "reset")
    rotations.fault("cache", Fault.closed(applied=True), "reset")
    rotations.fault("late", Fault.slow_propagation(5), "reset")
    database.credential_protection = True
    text = rotations.up()
    label = f"Redis database {database.name!r} ({database.id})"
    what = f"cannot reset the password of {label}: {rotations.emulator.url}"
    lost = "closed the connection before it responded"
    cache = "\n".join(diagnostics_of(text, "cache"))
    assert f"{what} is rate limiting requests (429); retrying in " in cache
    assert f"{what} {lost}. Reading the database to check whether the password changed" in cache
    late = "\n".join(diagnostics_of(text, "late"))
    other = rotations.database("late")
    label = f"Redis database {other.name!r} ({other.id})"
    assert f"waiting up to 10 s for {label} to accept the new credential" in late
    warnings = [line for line in text.splitlines() if "warning: " in line]
    assert [line for line in warnings if "from $PATH" not in line] == []  # that is the engine's
    assert rotations.resets() == {"cache": 2, "late": 1}


def test_debug_details_show_only_with_the_variable(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(rotation("cache", database_id=database.id))
    stack.environment["UPSTASH_ROTATION_DEBUG"] = "1"
    text = stack.up()
    reset = f"POST /v2/redis/reset-password/{database.id}: 200 in "
    assert f"pulumi_upstash_rotation.http.client: {reset}" in text
    assert "pulumi_upstash_rotation.upstash.probe: Redis accepts the new password" in text
    assert database.password not in text
    assert upstash_emulator.api_key not in text


def test_an_id_that_is_unknown_until_the_update_can_be_previewed(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    one, two = upstash_emulator.databases[:2]
    three = upstash_emulator.add_database()
    stack = new_stack(
        f"first = RedisPasswordRotation('first', database_id={one.id!r})\n"
        f"second = RedisPasswordRotation('second', database_id={two.id!r},\n"
        "    triggers={'after': first.rotated_at, 'deep': [first.password]})\n"
        f"later = first.password.apply(lambda _: {three.id!r})\n"
        "third = RedisPasswordRotation('third', database_id=later)\n"
    )
    assert "+ 4 to create" in stack.preview()
    stack.up()
    assert (one.resets, two.resets, three.resets) == (1, 1, 1)
    assert stack.outputs() == {}
    stored = stack.stored_text()
    assert one.password not in stored
    assert two.password not in stored
