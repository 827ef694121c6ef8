"""The plugin's service: each method, as Pulumi's engine calls it."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import empty_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2

from pulumi_upstash_rotation.errors import IndeterminateOutcomeError
from pulumi_upstash_rotation.frontends.engine import context as engine_context
from pulumi_upstash_rotation.frontends.engine import log
from pulumi_upstash_rotation.frontends.native import provider
from pulumi_upstash_rotation.frontends.native.names import to_camel
from pulumi_upstash_rotation.frontends.native.version import plugin_version
from pulumi_upstash_rotation.http import cancellation
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import CHECKS
from pulumi_upstash_rotation.resources.redis_password_rotation.state import with_pending
from pulumi_upstash_rotation.rotation.record import Cause, PendingRotation, Reason
from pulumi_upstash_rotation.values import format_time

from ...support.account import ScriptedUpstash, never
from ...support.clock import START
from ...support.native import (
    CONFIG,
    DAYS,
    HANDLER,
    NEWS,
    SECRET,
    Engine,
    FailedCallError,
    clear,
    let_handler,
    secrets,
    sent,
)
from ...support.payloads import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_upstash_rotation.resources.seam import Resource

DUE = {**NEWS, "triggers": {"release": "canary-2"}}
DIFF = provider_pb2.DiffResponse
LOST = IndeterminateOutcomeError("lost", "who knows")
ANOTHER = "4b244015-9938-4dce-a318-2453c7db5e71"


@pytest.fixture
def upstash(monkeypatch: pytest.MonkeyPatch) -> ScriptedUpstash:
    """The account that every call opens."""
    return let_account_be(ScriptedUpstash(), monkeypatch)


def let_account_be(upstash: ScriptedUpstash, monkeypatch: pytest.MonkeyPatch) -> ScriptedUpstash:
    def open_account(settings: Callable[[], object], _report: object) -> Any:
        upstash.before_call = settings
        return upstash.account

    monkeypatch.setattr(engine_context, "open_account", open_account)
    monkeypatch.setattr(engine_context, "now", upstash.clock.now)
    return upstash


def let_account_rotate_again(monkeypatch: pytest.MonkeyPatch) -> ScriptedUpstash:
    newer = {**WITH_CREDENTIALS, "password": "newer-canary"}
    return let_account_be(ScriptedUpstash(get=[WITH_CREDENTIALS, newer]), monkeypatch)


def created(engine: Engine, news: dict[str, Any] = NEWS) -> dict[str, Any]:
    return clear(engine.create(news).properties)


# --- the plugin ---


def test_handshake_and_configure_accept_secrets_and_previews(engine: Engine) -> None:
    handshake = engine.call("Handshake", provider_pb2.ProviderHandshakeRequest())
    assert handshake.accept_secrets
    configured = engine.call("Configure", provider_pb2.ConfigureRequest(args=sent(CONFIG)))
    assert (configured.acceptSecrets, configured.supportsPreview) == (True, True)


def test_version_is_that_of_the_plugin(engine: Engine) -> None:
    info = engine.call("GetPluginInfo", empty_pb2.Empty())
    schema = json.loads(engine.call("GetSchema", provider_pb2.GetSchemaRequest()).schema)
    assert info.version == schema["version"] == plugin_version()
    assert schema["name"] == provider.PACKAGE


def test_schema_has_each_resource_and_function_that_is_served(engine: Engine) -> None:
    schema = json.loads(engine.call("GetSchema", provider_pb2.GetSchemaRequest()).schema)
    for token in schema["resources"]:
        assert provider._handler(f"urn:pulumi:dev::test::{token}::name")
    assert {token.rpartition(":")[2] for token in schema["functions"]} == {
        "getDatabase",
        "listDatabases",
    }


def test_there_is_no_mapping(engine: Engine) -> None:
    response = engine.call("GetMapping", provider_pb2.GetMappingRequest(key="terraform"))
    assert response == provider_pb2.GetMappingResponse()


@pytest.mark.usefixtures("upstash")
def test_attach_takes_the_address_of_the_engine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(log, "show", lambda *line: shown.append(line))
    engine.call("Attach", plugin_pb2.PluginAttach(address="127.0.0.1:1"))
    engine.call("Configure", provider_pb2.ConfigureRequest(args=sent(CONFIG)))
    engine.diff(created(engine), DUE)
    ((_, line, urn, address),) = shown
    assert line.endswith("is due for a reset: trigger: release")
    assert (urn, address) == (engine.urn, "127.0.0.1:1")


def test_address_of_the_handshake_is_preferred_to_that_of_the_arguments() -> None:
    servicer = provider.NativeProvider("127.0.0.1:1")
    assert Engine(servicer).servicer._sessions.all()[0].address == "127.0.0.1:1"
    Engine(servicer, peer="another", address="127.0.0.1:2")
    assert [each.address for each in servicer._sessions.all()] == ["127.0.0.1:1", "127.0.0.1:2"]


@pytest.mark.parametrize(("value", "expected"), [("1", ["details"]), ("0", []), ("", [])])
def test_debug_shows_details_if_it_is_on(
    value: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setenv("UPSTASH_ROTATION_DEBUG", value)
    monkeypatch.setattr(log, "show_details", lambda *_: shown.append("details"))
    Engine()
    assert shown == expected


# --- config ---


def check_config(engine: Engine, config: dict[str, Any]) -> list[str]:
    request = provider_pb2.CheckRequest(urn="urn", news=sent(config))
    response = engine.call("CheckConfig", request)
    assert clear(response.inputs) == clear(request.news)
    known = {name for name, value in clear(request.news).items() if value != rpc.UNKNOWN}
    assert secrets(response.inputs) == {"apiKey"} & known
    assert not any(failure.property for failure in response.failures)
    return [failure.reason for failure in response.failures]


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        {**CONFIG, "maxConcurrency": 4, "rateLimitWait": 30},
        {**CONFIG, "maxConcurrency": "4", "rateLimitWait": "30"},
        {**CONFIG, "version": "1.0.0", "pluginDownloadURL": "x", "__internal": {}},
        {"email": rpc.UNKNOWN},
        {**CONFIG, "apiUrl": rpc.UNKNOWN},
        {**CONFIG, "apiKey": {rpc._special_sig_key: rpc._special_secret_sig, "value": "canary"}},
    ],
)
def test_right_config_has_no_problem(engine: Engine, config: dict[str, Any]) -> None:
    assert check_config(engine, config) == []


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "no Upstash credentials (e-mail and API key): set both on this stack with "
             "`pulumi config set upstash-rotation:email "),
        ({"email": "a@b.c"}, "config upstash-rotation:apiKey is missing although config "
                             "upstash-rotation:email is set"),
        ({**CONFIG, "email": "canary"}, "config upstash-rotation:email must be"),
        ({**CONFIG, "maxConcurrency": 0.5}, "config upstash-rotation:maxConcurrency must be"),
        ({**CONFIG, "apiUrl": "canary"}, "config upstash-rotation:apiUrl must be"),
        ({**CONFIG, "apikey": "canary"}, "config upstash-rotation:apikey is not a setting. The "
                                         "settings are email, apiKey, apiUrl, maxConcurrency, "
                                         "rateLimitWait"),
        ({"api_key": rpc.UNKNOWN}, "config upstash-rotation:api_key is not a setting"),
    ],
)  # fmt: skip
def test_wrong_config_is_reported_once_and_not_shown(
    engine: Engine, config: dict[str, Any], problem: str
) -> None:
    (shown,) = check_config(engine, config)
    assert shown.startswith(problem)
    assert "canary" not in shown


def test_config_of_the_environment_is_right(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTASH_EMAIL", "a@b.c")
    monkeypatch.setenv("UPSTASH_API_KEY", "key-canary")
    assert check_config(engine, {}) == []


@pytest.mark.parametrize(
    ("news", "changes"), [(CONFIG, DIFF.DIFF_NONE), ({**CONFIG, "apiKey": "x"}, DIFF.DIFF_SOME)]
)
def test_changed_config_replaces_nothing(
    engine: Engine, news: dict[str, Any], changes: int
) -> None:
    request = provider_pb2.DiffRequest(urn="urn", olds=sent(CONFIG), news=sent(news))
    response = engine.call("DiffConfig", request)
    assert (response.changes, list(response.replaces)) == (changes, [])


def test_calls_use_the_settings_of_the_config(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    upstash = let_account_be(ScriptedUpstash(), monkeypatch)
    created(engine)
    settings: Any = upstash.before_call()
    assert (settings.email, settings.api_key) == ("a@b.c", "key-canary")


# --- check ---

NAMES_OF_THE_CORE = {name for name in CHECKS if "_" in name}


@given(st.dictionaries(
    st.sampled_from([*to_camel(dict.fromkeys(CHECKS)), "other", "a b", ""]),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.just(rpc.UNKNOWN),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=5,
    ),
))  # fmt: skip
def test_check_of_anything_has_one_line_for_each_problem(news: dict[str, Any]) -> None:
    for problem in Engine().check(news):
        assert " must be " in problem or " is not an input. " in problem
        assert "\n" not in problem
        assert not set(re.findall(r"\w+", problem)) & NAMES_OF_THE_CORE
        assert "True" not in problem


@pytest.mark.parametrize("name", ["database_id", "existing_token", "rotationDay", "it's True"])
def test_input_that_the_schema_lacks_is_reported(name: str) -> None:
    """A language without types lets it pass. In the core's spelling it would not be a secret."""
    (problem,) = Engine().check({**NEWS, name: "value-canary"})
    assert problem.startswith(f"{name!r} is not an input. The inputs are databaseId, triggers, ")
    assert "canary" not in problem


def test_check_reports_settings_beside_arguments() -> None:
    flag, settings = Engine(config={}).check({"databaseId": DATABASE_ID, "verify": 1})
    assert flag == "verify must be true or false"
    assert settings.startswith("no Upstash credentials")


@pytest.mark.parametrize("value", [[0] * 20_000, {rpc._special_sig_key: "x"}])
def test_check_rejects_triggers_that_no_state_could_hold(engine: Engine, value: Any) -> None:
    (problem,) = engine.check({"databaseId": DATABASE_ID, "triggers": {"a": value}})
    assert problem.startswith("triggers must be ")


def test_second_resource_for_a_database_is_a_problem(engine: Engine) -> None:
    assert engine.check(NEWS) == []
    engine.urn += "2"
    (problem,) = engine.check(NEWS)
    assert problem.startswith("databaseId is the database of another resource")


# --- diff ---


def kinds(response: provider_pb2.DiffResponse) -> dict[str, str]:
    kind = provider_pb2.PropertyDiff.Kind
    assert response.hasDetailedDiff == bool(response.detailedDiff)
    return {path: kind.Name(each.kind) for path, each in response.detailedDiff.items()}


@pytest.mark.usefixtures("upstash")
def test_diff_shows_the_trigger_that_changed(engine: Engine, lines: list[str]) -> None:
    response = engine.diff(created(engine), DUE, NEWS)
    assert response.changes == DIFF.DIFF_SOME
    assert kinds(response) == {"triggers.release": "UPDATE"}
    assert list(response.diffs) == ["triggers"]
    assert not response.replaces
    assert lines == [
        f"info: the password of Redis database 'MyRedis' ({DATABASE_ID}) is due for a reset: "
        "trigger: release"
    ]


@pytest.mark.usefixtures("upstash")
def test_diff_without_a_change_has_none(engine: Engine) -> None:
    assert engine.diff(created(engine), NEWS).changes == DIFF.DIFF_NONE


@pytest.mark.usefixtures("upstash")
def test_diff_by_time_has_no_changed_input(engine: Engine, upstash: ScriptedUpstash) -> None:
    news = {**NEWS, "rotationDays": 1}
    state = created(engine, news)
    upstash.clock.seconds += 2 * 86_400
    response = engine.diff(state, news)
    assert response.changes == DIFF.DIFF_SOME
    assert kinds(response) == {}


@pytest.mark.usefixtures("upstash")
def test_diff_with_another_database_replaces(engine: Engine) -> None:
    response = engine.diff(created(engine), {**NEWS, "databaseId": ANOTHER}, NEWS)
    assert response.changes == DIFF.DIFF_SOME
    assert list(response.replaces) == ["databaseId"]
    assert kinds(response) == {"databaseId": "UPDATE_REPLACE"}


@pytest.mark.usefixtures("upstash")
def test_diff_of_a_refresh_shows_what_changed_and_not_what_is_due(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    state = created(engine)
    assert engine.bare_diff(state, DUE, DUE).changes == DIFF.DIFF_NONE
    newer = {**WITH_CREDENTIALS, "password": "newer-canary"}
    let_account_be(ScriptedUpstash(get=newer), monkeypatch)
    found = engine.read(DATABASE_ID, state, DUE)
    response = engine.bare_diff(clear(found.properties), DUE, DUE)
    assert response.changes == DIFF.DIFF_SOME
    assert {"password", "redisUrl"} <= {*response.diffs} == {*kinds(response)}
    assert "canary" not in str(response)
    assert engine.bare_diff(state, DUE, DUE).changes == DIFF.DIFF_NONE
    assert lines == []
    assert engine.diff(state, DUE, DUE).changes == DIFF.DIFF_SOME
    assert len(lines) == 1


@pytest.mark.usefixtures("upstash")
def test_diff_with_changed_inputs_is_no_refresh(engine: Engine) -> None:
    assert engine.bare_diff(created(engine), DUE, NEWS).changes == DIFF.DIFF_SOME


# --- previews ---


@pytest.mark.parametrize(
    "news", [NEWS, {"databaseId": rpc.UNKNOWN}, {**NEWS, "triggers": {"a": rpc.UNKNOWN}}]
)
def test_preview_of_a_create_opens_no_account_and_knows_no_credential(
    engine: Engine, news: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_context, "open_account", never)
    response = engine.create(news, preview=True)
    outputs = clear(response.properties)
    assert response.id == ""
    assert outputs["databaseId"] == news["databaseId"]
    for name in ("password", "redisUrl", "restToken", "rotatedAt", "credentialFingerprint"):
        assert outputs[name] == rpc.UNKNOWN
    assert "canary" not in str(response)


def test_preview_of_an_update_opens_no_account(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstash = let_account_be(ScriptedUpstash(), monkeypatch)
    state = created(engine)
    calls = [*upstash.calls]
    monkeypatch.setattr(engine_context, "open_account", never)
    outputs = clear(engine.update(state, DUE, preview=True).properties)
    assert upstash.calls == calls
    assert outputs["password"] == outputs["redisUrl"] == outputs["triggers"] == rpc.UNKNOWN
    assert outputs["endpoint"] == DOCUMENTED["endpoint"]
    same = engine.update(state, {**NEWS, "rotateOnDelete": True}, preview=True).properties
    assert clear(same) == {**state, "rotateOnDelete": True}


# --- next_rotation_at ---

IN_10_DAYS = format_time(START + timedelta(days=10))


@pytest.mark.usefixtures("upstash")
@pytest.mark.parametrize(
    ("news", "expected"),
    [
        (NEWS, None),
        (DAYS, IN_10_DAYS),
        ({**NEWS, "rotationSchedule": "0 3 1 * *"}, "2026-12-01T03:00:00Z"),
        ({**DAYS, "rotateOnCreate": False}, IN_10_DAYS),
    ],
)
def test_next_rotation_is_an_output_with_age_or_schedule(
    engine: Engine, news: dict[str, Any], expected: str | None
) -> None:
    assert created(engine, news).get("nextRotationAt") == expected


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ({**DAYS, "rotationDays": rpc.UNKNOWN}, rpc.UNKNOWN),
        ({**DAYS, "rotationSchedule": rpc.UNKNOWN}, rpc.UNKNOWN),
        (DAYS, rpc.UNKNOWN),
        (NEWS, None),
    ],
)
def test_next_rotation_of_a_new_resource_is_unknown_in_a_preview(
    engine: Engine, news: dict[str, Any], expected: Any
) -> None:
    assert clear(engine.create(news, preview=True).properties).get("nextRotationAt") == expected


def test_changed_age_is_an_update_without_a_reset(
    engine: Engine, upstash: ScriptedUpstash, lines: list[str]
) -> None:
    state = created(engine, DAYS)
    calls = [*upstash.calls]
    news = {**DAYS, "rotationDays": 20}
    assert kinds(engine.diff(state, news, DAYS)) == {"rotationDays": "UPDATE"}
    expected = {**state, "nextRotationAt": format_time(START + timedelta(days=20))}
    assert clear(engine.update(state, news, preview=True).properties) == expected
    assert clear(engine.update(state, news).properties) == expected
    assert engine.diff(expected, news).changes == DIFF.DIFF_NONE
    without = clear(engine.update(expected, NEWS).properties)
    assert "nextRotationAt" not in without
    assert engine.diff(without, NEWS).changes == DIFF.DIFF_NONE
    assert (upstash.calls, lines) == (calls, [])


@pytest.mark.usefixtures("upstash")
def test_unknown_age_may_change_the_next_rotation(engine: Engine) -> None:
    state = created(engine, DAYS)
    news = {**DAYS, "rotationDays": rpc.UNKNOWN}
    assert engine.diff(state, news, DAYS).changes == DIFF.DIFF_SOME
    outputs = clear(engine.update(state, news, preview=True).properties)
    assert outputs["nextRotationAt"] == rpc.UNKNOWN


# --- create, update, read, delete ---


def test_create_marks_secrets_and_returns_the_new_credentials(
    engine: Engine, upstash: ScriptedUpstash
) -> None:
    response = engine.create(NEWS)
    outputs = clear(response.properties)
    assert upstash.calls == ["get", "reset", "get"]
    assert response.id == DATABASE_ID
    assert outputs["password"] == CREDENTIALS["password"]
    assert outputs["readOnlyRestToken"] == CREDENTIALS["read_only_rest_token"]
    assert outputs["triggers"] == NEWS["triggers"]
    assert secrets(response.properties) == SECRET & outputs.keys()
    assert not any("_" in name for name in outputs)


@pytest.mark.usefixtures("upstash")
def test_update_that_is_due_resets(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    state = created(engine)
    upstash = let_account_rotate_again(monkeypatch)
    outputs = clear(engine.update(state, DUE).properties)
    assert outputs["rotationCount"] == 2
    assert outputs["triggers"] == DUE["triggers"]
    assert outputs["password"] == "newer-canary"
    assert upstash.calls == ["get", "reset", "get"]


def test_import_has_the_id_as_its_only_input(engine: Engine, upstash: ScriptedUpstash) -> None:
    response = engine.read(DATABASE_ID)
    assert response.id == DATABASE_ID
    assert clear(response.inputs) == {"databaseId": DATABASE_ID}
    assert clear(response.properties)["imported"] is True
    assert secrets(response.properties) == SECRET & clear(response.properties).keys()
    assert upstash.calls == ["get"]


@pytest.mark.parametrize("name", ["RedisAclToken", "RedisAclUser", "RedisAclTokenRetirement"])
def test_acl_user_cannot_be_imported(engine: Engine, upstash: ScriptedUpstash, name: str) -> None:
    engine.urn = f"urn:pulumi:dev::test::upstash-rotation:index:{name}::it"
    with pytest.raises(FailedCallError) as raised:
        engine.read(f"{DATABASE_ID}/app")
    line = raised.value.message
    assert line.startswith(f"Pulumi cannot import upstash-rotation:index:{name}. Declare a token")
    assert upstash.calls == []


@pytest.mark.usefixtures("upstash")
def test_refresh_keeps_the_inputs_and_computes_the_next_rotation(engine: Engine) -> None:
    state = created(engine, DAYS)
    response = engine.read(DATABASE_ID, state, DAYS)
    assert clear(response.inputs) == DAYS
    assert clear(response.properties) == state


def test_refresh_of_a_deleted_database_finds_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, lambda *_: None)
    assert engine.read(DATABASE_ID, {"schemaVersion": 1}) == provider_pb2.ReadResponse()


def test_delete_resets_only_if_the_state_says_so(engine: Engine, upstash: ScriptedUpstash) -> None:
    state = created(engine, {**NEWS, "rotateOnDelete": True})
    calls = [*upstash.calls]
    engine = Engine()
    for flag in (False, True):
        properties = sent({**state, "rotateOnDelete": flag})
        request = provider_pb2.DeleteRequest(id="id", urn=engine.urn, properties=properties)
        assert engine.call("Delete", request) == empty_pb2.Empty()
        assert (upstash.calls != calls) is flag
    assert upstash.calls.count("reset") == 2


# --- a state of the dynamic provider ---


def dynamic_state(engine: Engine, **others: Any) -> dict[str, Any]:
    """Return the state of a dynamic resource."""
    snake = {provider.to_snake({name: 1}).popitem()[0]: value
             for name, value in created(engine).items()}  # fmt: skip
    return {**snake, **others, "__provider": "pickle"}


def test_state_of_the_dynamic_provider_gets_our_names_without_a_call(
    engine: Engine, upstash: ScriptedUpstash, lines: list[str]
) -> None:
    state = dynamic_state(engine)
    calls = [*upstash.calls]
    response = engine.diff(state, NEWS, {"database_id": DATABASE_ID})
    assert (response.changes, list(response.replaces)) == (DIFF.DIFF_SOME, [])
    assert kinds(response) == {}
    preview = clear(engine.update(state, NEWS, preview=True).properties)
    properties = engine.update(state, NEWS).properties
    outputs = clear(properties)
    assert preview == outputs
    assert outputs["password"] == CREDENTIALS["password"]
    assert not any("_" in name for name in outputs)
    assert secrets(properties) == SECRET & outputs.keys()
    assert engine.diff(outputs, NEWS).changes == DIFF.DIFF_NONE
    assert (upstash.calls, lines) == (calls, [])


@pytest.mark.usefixtures("upstash")
def test_pending_rotation_of_the_dynamic_provider_is_resolved(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = PendingRotation(Reason(Cause.TRIGGER, "release"), DUE["triggers"])
    state = with_pending(dynamic_state(engine), pending)
    upstash = let_account_rotate_again(monkeypatch)
    response = engine.diff(state, DUE)
    assert (response.changes, list(response.replaces)) == (DIFF.DIFF_SOME, [])
    outputs = clear(engine.update(state, DUE).properties)
    assert upstash.calls == ["get", "reset", "get"]
    assert outputs["triggers"] == DUE["triggers"]
    assert not any(name.startswith("pending") for name in outputs)


@pytest.mark.usefixtures("upstash")
def test_refresh_of_a_state_of_the_dynamic_provider_keeps_its_inputs(engine: Engine) -> None:
    inputs = {"database_id": DATABASE_ID, "triggers": {"a": 1}}
    response = engine.read(DATABASE_ID, dynamic_state(engine), inputs)
    assert clear(response.inputs) == inputs
    assert "imported" not in clear(response.properties)


# --- failures ---


def test_indeterminate_create_keeps_a_pending_rotation(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_account_be(ScriptedUpstash(reset=LOST, get=DOCUMENTED), monkeypatch)
    with pytest.raises(FailedCallError) as raised:
        engine.create(NEWS)
    kept = clear(raised.value.properties)
    assert raised.value.id == DATABASE_ID
    assert kept["pendingRotation"]
    assert kept["pendingTriggers"] == NEWS["triggers"]
    assert {"triggers", "pendingTriggers"} <= secrets(raised.value.properties)
    assert "canary" not in raised.value.message


def test_failure_shows_the_names_of_programs_and_no_value(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {**DOCUMENTED, "database_name": "rotate_on_create True"}
    let_account_be(ScriptedUpstash(get=named), monkeypatch)
    with pytest.raises(FailedCallError) as raised:
        engine.create({**NEWS, "requireCredentials": True})
    assert "'rotate_on_create True'" in raised.value.message
    assert "set requireCredentials=false" in raised.value.message
    assert raised.value.id is None
    assert "canary" not in raised.value.message


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, RecursionError, ValueError])
def test_foreign_error_is_one_line_without_its_text(
    engine: Engine, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise kind("password-canary")

    monkeypatch.setattr(f"{HANDLER}.parse_state", explode)
    with pytest.raises(FailedCallError) as raised:
        engine.diff({}, NEWS)
    assert raised.value.message.startswith(f"unexpected {kind.__name__} in diff: ")
    assert "canary" not in raised.value.message
    assert raised.value.id is None


def test_other_resource_does_not_exist(engine: Engine) -> None:
    engine.urn = "urn:pulumi:dev::test::upstash-rotation:index:Other::name"
    expected = "upstash-rotation has no resource 'upstash-rotation:index:Other'"
    for call in (engine.check, engine.create):
        with pytest.raises(FailedCallError, match=f"^{expected}"):
            call(NEWS)


def test_child_of_a_component_is_found_by_its_own_type(engine: Engine) -> None:
    engine.urn = engine.urn.replace("::upstash", "::my:component:Cache$upstash")
    assert engine.check(NEWS) == []


def test_retirement_has_the_handler_of_the_dynamic_resource() -> None:
    urn = "urn:pulumi:dev::test::upstash-rotation:index:RedisAclTokenRetirement::name"
    assert provider._handler(urn) is provider.handler_of("RedisAclRetirement")


# --- functions ---


@pytest.mark.usefixtures("upstash")
def test_function_returns_a_database_with_secrets(engine: Engine) -> None:
    found = engine.invoke("getDatabase", {"databaseId": DATABASE_ID})
    assert clear(found)["password"] == "old-canary"
    assert secrets(found) == SECRET & clear(found).keys()


def test_function_returns_all_databases(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    let_account_be(ScriptedUpstash(listed=[[WITH_CREDENTIALS]]), monkeypatch)
    found = clear(engine.invoke("listDatabases", {"namePrefix": "My"}))
    assert [each["databaseId"] for each in found["databases"]] == [DATABASE_ID]
    assert "canary" not in str(found)


def test_function_with_an_unknown_argument_is_unknown(
    engine: Engine, upstash: ScriptedUpstash
) -> None:
    found = clear(engine.invoke("getDatabase", {"databaseId": rpc.UNKNOWN}))
    assert set(found.values()) == {rpc.UNKNOWN}
    assert upstash.calls == []


@pytest.mark.usefixtures("upstash")
def test_function_that_fails_names_its_argument_as_programs_do(engine: Engine) -> None:
    with pytest.raises(FailedCallError, match="^databaseId must be"):
        engine.invoke("getDatabase", {})


def test_other_function_does_not_exist(engine: Engine) -> None:
    with pytest.raises(FailedCallError, match="^upstash-rotation has no function 'getUser'"):
        engine.invoke("getUser", {})


# --- sessions ---


def test_two_engines_with_two_accounts_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    servicer = provider.NativeProvider()
    accounts = [{"email": "a@b.c", "apiKey": "key-1"}, {"email": "d@e.f", "apiKey": "key-2"}]
    engines = [
        Engine(servicer, account, f"ipv4:127.0.0.1:{number}")
        for number, account in enumerate(accounts)
    ]
    used: list[tuple[str, str]] = []

    def open_account(settings: Callable[[], Any], _report: object) -> Any:
        used.append((settings().email, settings().api_key))
        return ScriptedUpstash().account

    monkeypatch.setattr(engine_context, "open_account", open_account)
    for each in (*engines, *reversed(engines)):
        each.create(NEWS)
        assert each.check(NEWS) == []  # a database of the other's program is no duplicate
        each.urn += "x"
        assert len(each.check(NEWS)) == 1
        each.urn = each.urn[:-1]
    one, two = (tuple(account.values()) for account in accounts)
    assert used == [one, two, two, one]
    engines[0].call("Cancel", empty_pb2.Empty())
    engines[1].create(NEWS)


@pytest.mark.usefixtures("upstash")
def test_engine_that_connects_again_keeps_its_config(engine: Engine) -> None:
    engine.peer = "ipv4:127.0.0.1:2"
    assert created(engine)["password"] == CREDENTIALS["password"]


def test_unknown_connection_beside_two_engines_gets_no_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That of the environment may be another one."""
    monkeypatch.setenv("UPSTASH_EMAIL", "a@b.c")
    monkeypatch.setenv("UPSTASH_API_KEY", "key-canary")
    servicer = provider.NativeProvider()
    engine, _ = (Engine(servicer, peer=f"ipv4:127.0.0.1:{number}") for number in (1, 2))
    engine.peer = "ipv4:127.0.0.1:3"
    with pytest.raises(FailedCallError, match="has not configured this plugin; nothing has chang"):
        engine.create(NEWS)


# --- cancellation ---


def test_cancel_ends_a_wait_and_starts_no_reset(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()

    def act(_self: object, _arguments: object, operation: Any) -> Resource:
        waits.set()
        operation.sleep(3600)
        raise AssertionError

    let_handler(monkeypatch, act)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(engine.create, NEWS)
        assert waits.wait(60)
        engine.call("Cancel", empty_pb2.Empty())
        with pytest.raises(FailedCallError, match="^the run was cancelled"):
            call.result(60)


def test_password_of_a_cancelled_run_is_still_returned(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstash = let_account_be(ScriptedUpstash(), monkeypatch)
    real = upstash.reset_password

    def reset(*arguments: Any) -> Any:
        reading = real(*arguments)
        engine.call("Cancel", empty_pb2.Empty())  # while the reset is in flight
        return reading

    monkeypatch.setattr(upstash, "reset_password", reset)
    assert created(engine)["password"] == CREDENTIALS["password"]
    assert upstash.calls == ["get", "reset", "get"]


def test_cancelled_run_ends_the_waits_of_calls_to_come(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.servicer.cancel_all()
    let_handler(monkeypatch, lambda *_: cancellation.check())
    with pytest.raises(FailedCallError, match="^the run was cancelled"):
        engine.create(NEWS)
    Engine(engine.servicer).diff({"schemaVersion": 1}, NEWS)  # a new run of the same process
