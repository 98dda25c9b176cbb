"""The contract as a whole: its rules hold for every element, and generated/ says what protos/ says."""

from __future__ import annotations

import importlib
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]

from postroom.v1 import error_reason_pb2, token_pb2
from postroom_server.refusals import Reason

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
GENERATE = Path("tools/generate.py")
BUF = Path(sys.executable).with_name("buf")

METHODS = {
    "EmailService": "SendEmail BatchSendEmails GetEmail ListEmails ListRecipients BatchDeleteEmails"
    " CancelEmail RescheduleEmail RetryEmail ReleaseEmail SendTestEmail CheckVerificationCode ListEvents"
    " WatchEvents ReportBounce",
    "TemplateService": "CreateTemplate GetTemplate ListTemplates UpdateTemplate DeleteTemplate SubmitTemplate"
    " WithdrawTemplate ApproveTemplate RejectTemplate ListTemplateVersions RestoreTemplateVersion"
    " RenderTemplate Bind Unbind ListBindings",
    "MailServerService": "CreateMailServer GetMailServer ListMailServers UpdateMailServer DeleteMailServer",
    "DirectoryService": "BatchUpsertMembers ListMembers BatchDeleteMembers",
    "SuppressionService": "AddSuppressions ListSuppressions RemoveSuppressions DescribeUnsubscription"
    " Unsubscribe",
    "TenantService": "CreateTenant GetTenant ListTenants UpdateTenant CreateDkimKey ListDkimKeys"
    " DeleteDkimKey EraseAddress",
    "TokenService": "CreateToken ListTokens RevokeToken",
}


# A link out of a mail entitles to these, and no token.
BY_LINK = ("SuppressionService.DescribeUnsubscription", "SuppressionService.Unsubscribe")


def proto_files() -> list[FileDescriptor]:
    names = sorted(path.relative_to(PROTOS).with_suffix("") for path in PROTOS.rglob("*.proto"))
    return [importlib.import_module(".".join(name.parts) + "_pb2").DESCRIPTOR for name in names]


def messages() -> Iterator[Descriptor]:
    for file in proto_files():
        yield from file.message_types_by_name.values()


def enums() -> Iterator[EnumDescriptor]:
    for file in proto_files():
        yield from file.enum_types_by_name.values()


def services() -> Iterator[ServiceDescriptor]:
    for file in proto_files():
        yield from file.services_by_name.values()


def comments_of_methods(folder: Path) -> dict[str, str]:
    """The comment above every rpc, by service and method, as protoc reads it."""
    out = folder / "contract.binpb"
    protos = [path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto")]
    includes = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
    assert (
        protoc.main(["protoc", *includes, f"--descriptor_set_out={out}", "--include_source_info", *protos])
        == 0
    )
    found = {}
    for file in FileDescriptorSet.FromString(out.read_bytes()).file:
        for location in file.source_code_info.location:
            # A path (6, s, 2, m) is the method m of the service s.
            if len(location.path) == 4 and location.path[0] == 6 and location.path[2] == 2:
                service = file.service[location.path[1]]
                found[f"{service.name}.{service.method[location.path[3]].name}"] = location.leading_comments
    return found


def test_the_contract_has_exactly_the_agreed_methods() -> None:
    found = {service.name: [method.name for method in service.methods] for service in services()}

    assert found == {name: methods.split() for name, methods in METHODS.items()}


def test_every_method_has_a_request_and_a_response_of_its_name() -> None:
    for method in itertools.chain.from_iterable(service.methods for service in services()):
        assert method.input_type.name == f"{method.name}Request"
        assert method.output_type.name == f"{method.name}Response"


def test_every_method_says_which_scope_it_needs(tmp_path: Path) -> None:
    words = {
        name.removeprefix("TOKEN_SCOPE_").lower().replace("_review", ".review")
        for name in token_pb2.TokenScope.keys()  # noqa: SIM118 - the wrapper is no mapping
    }
    comments = comments_of_methods(tmp_path)

    assert len(comments) == sum(len(methods.split()) for methods in METHODS.values())
    assert ["No scope" in comments.pop(method) for method in BY_LINK] == [True, True]
    for method, comment in comments.items():
        named = re.search(r"Scope\s+`([a-z_.]+)`", comment)
        assert named, f"{method} names no scope"
        assert named[1] in words, f"{method} names the unknown scope {named[1]}"


def test_every_list_method_pages_filters_and_counts_alike() -> None:
    request = {"page_size": 1, "page_token": 2, "skip": 3, "count": 4, "filters": 5, "order_by": 6}
    response = {"next_page_token": 2, "total_size": 3, "total_is_lower_bound": 4}

    listing = [
        method
        for service in services()
        for method in service.methods
        if method.name.startswith("List") and method.name != "ListEvents"
    ]

    assert len(listing) == 11
    for method in listing:
        assert numbers(method.input_type, request) == request, method.full_name
        assert numbers(method.output_type, response) == response, method.full_name
        assert method.output_type.fields_by_number[1].is_repeated, method.full_name


def numbers(message: Descriptor, names: dict[str, int]) -> dict[str, int]:
    return {name: message.fields_by_name[name].number for name in names if name in message.fields_by_name}


def test_every_time_is_a_timestamp_and_every_span_a_duration() -> None:
    for field in itertools.chain.from_iterable(message.fields for message in messages()):
        if field.name.endswith("_time"):
            assert message_name(field) == "google.protobuf.Timestamp", field.full_name
        if field.name.endswith(("_retention", "_interval", "_delay", "timeout", "validity")):
            assert message_name(field) == "google.protobuf.Duration", field.full_name
        assert not field.name.endswith(("_seconds", "_ms", "_millis", "_date")), field.full_name


def message_name(field: FieldDescriptor) -> str | None:
    return field.message_type.full_name if field.message_type else None


def test_every_tenant_id_in_a_request_tells_unset_from_the_platform() -> None:
    naming = [
        message.fields_by_name["tenant_id"]
        for message in messages()
        if message.name.endswith("Request") and "tenant_id" in message.fields_by_name
    ]

    assert len(naming) > 30
    assert [field.full_name for field in naming if not field.has_presence] == []


def test_every_enum_begins_with_unspecified() -> None:
    for enum in enums():
        assert enum.values_by_number[0].name.endswith("_UNSPECIFIED"), enum.full_name


def test_only_well_known_protos_are_imported() -> None:
    for file in proto_files():
        for imported in file.dependencies:
            assert imported.name.startswith(("google/protobuf/", "postroom/v1/")), file.name


def test_the_error_reasons_are_those_that_refusals_give() -> None:
    names = [
        name.removeprefix("ERROR_REASON_")
        for name, number in error_reason_pb2.ErrorReason.items()
        if number != error_reason_pb2.ERROR_REASON_UNSPECIFIED
    ]

    assert names == [reason.value for reason in Reason]


@pytest.mark.parametrize("reason", Reason)
def test_the_comment_of_an_error_reason_begins_with_its_code(reason: Reason) -> None:
    text = (PROTOS / "postroom/v1/error_reason.proto").read_text(encoding="utf-8")

    comment = re.search(rf"((?:  // .*\n)+)  ERROR_REASON_{reason} = ", text)

    assert comment
    assert comment[1].startswith(f"  // {reason.code}: ")


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_generated_code_is_what_the_protos_say() -> None:
    checked = run(sys.executable, GENERATE, "--check")

    assert (checked.returncode, checked.stderr) == (0, "")


def test_generated_code_that_differs_is_named(tmp_path: Path) -> None:
    for folder in ("protos", "generated", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "generated/postroom/v1/email_pb2.py"
    module.write_bytes(module.read_bytes() + b"\n")
    (tmp_path / "generated/postroom/v1/filter_pb2.pyi").unlink()
    (tmp_path / "generated/postroom/v1/forgotten_pb2.py").touch()

    checked = run(sys.executable, GENERATE, "--check", cwd=tmp_path)
    generated = run(sys.executable, GENERATE, cwd=tmp_path)
    checked_again = run(sys.executable, GENERATE, "--check", cwd=tmp_path)

    assert checked.returncode == 1
    assert re.findall(r"^generated/(\S+)", checked.stderr, re.MULTILINE) == [
        "postroom/v1/email_pb2.py",
        "postroom/v1/filter_pb2.pyi",
        "postroom/v1/forgotten_pb2.py",
    ]
    assert generated.returncode == 0
    assert (checked_again.returncode, checked_again.stderr) == (0, "")


@pytest.mark.parametrize("rules", [["lint"], ["format", "--diff", "--exit-code"]], ids=["lint", "format"])
def test_buf_has_nothing_to_say(rules: list[str]) -> None:
    said = run(BUF, *rules)

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_no_lint_rule_is_switched_off() -> None:
    settings = (ROOT / "buf.yaml").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in PROTOS.rglob("*.proto"))

    assert "ignore" not in settings
    assert "except" not in settings
    assert "buf:lint:ignore" not in sources
