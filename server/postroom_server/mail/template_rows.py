"""Templates in their tables: a version is written once, with variants and variables, and read back whole."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Sequence

from postroom_server.clock import Millis
from postroom_server.mail.template_form import (
    ContentForm,
    TemplateRecord,
    VariableForm,
    VariableType,
    VariantForm,
    VersionRecord,
)
from postroom_server.mail.variable_types import read_default, stored_default
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.models import (
    ReviewState,
    Syntax,
    Template,
    TemplateKind,
    TemplateVariable,
    TemplateVariant,
    TemplateVersion,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """How a new version stands when it is made."""

    state: ReviewState
    submit_time: Millis | None
    review_time: Millis | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be written. Its content is checked."""

    number: int
    name: str
    kind: TemplateKind
    content: ContentForm
    author: str
    create_time: Millis
    review: Review
    restored_number: int | None = None


def find_template(tenant_id: int, invoke_name: str) -> Template:
    """The tenant's own template of that name, or TEMPLATE_NOT_FOUND."""
    row: Template | None = Template.get_or_none(
        (Template.tenant_id == tenant_id) & (Template.invoke_name == invoke_name)
    )
    if row is None:
        raise Refusal(
            Reason.TEMPLATE_NOT_FOUND,
            f"there is no template {invoke_name}",
            metadata={"invoke_name": invoke_name},
        )
    return row


def find_version(template: Template, number: int) -> TemplateVersion:
    """The version of that number, 0 the newest, or TEMPLATE_VERSION_NOT_FOUND."""
    if number == 0:
        return newest(template)
    row: TemplateVersion | None = TemplateVersion.get_or_none(
        (TemplateVersion.template_id == template.id) & (TemplateVersion.number == number)
    )
    if row is None:
        raise Refusal(
            Reason.TEMPLATE_VERSION_NOT_FOUND,
            f"{template.invoke_name} has no version {number}",
            metadata={"invoke_name": template.invoke_name, "version": str(number)},
        )
    return row


def newest(template: Template) -> TemplateVersion:
    row: TemplateVersion = TemplateVersion.get_by_id(template.latest_version_id)
    return row


def write_version(mint: IdMint, tenant_id: int, template_id: int, new: NewVersion) -> int:
    """Writes a version's rows and returns its id."""
    content = new.content
    ids = iter(mint.many(1 + len(content.variants) + len(content.variables)))
    version_id = next(ids)
    TemplateVersion.create(
        id=version_id,
        tenant_id=tenant_id,
        template_id=template_id,
        number=new.number,
        name=new.name,
        kind=str(new.kind),
        restored_number=new.restored_number,
        syntax=str(content.syntax),
        default_language=content.default_language,
        samples=_as_json(content.sample_params),
        validity=content.validity,
        author=new.author,
        create_time=new.create_time,
        review_state=str(new.review.state),
        submit_time=new.review.submit_time,
        reviewer=None,
        review_time=new.review.review_time,
        review_reason=None,
    )
    TemplateVariant.insert_many(
        [
            {
                "id": next(ids),
                "version_id": version_id,
                "position": position,
                "language": variant.language,
                "subject": variant.subject,
                "html": variant.html or None,
                "text": variant.text or None,
            }
            for position, variant in enumerate(content.variants)
        ]
    ).execute()
    if content.variables:
        TemplateVariable.insert_many(
            [
                _variable_row(next(ids), version_id, position, variable, content.syntax)
                for position, variable in enumerate(content.variables)
            ]
        ).execute()
    return version_id


def put_on_top(mint: IdMint, template: Template, new: NewVersion) -> None:
    """Writes a version that becomes the template's newest, and the one that is sent if it is approved."""
    version_id = write_version(mint, template.tenant_id, template.id, new)
    template.name = new.name
    template.kind = str(new.kind)
    template.latest_version_id = version_id
    if new.review.state is ReviewState.APPROVED:
        template.approved_version_id = version_id
    template.update_time = new.create_time
    template.save()


def refuse_stale(template: Template, latest: TemplateVersion, expected_version: int) -> None:
    """Raises VERSION_MISMATCH when the caller has seen another version than the newest; 0 does not ask."""
    if expected_version not in (0, latest.number):
        raise Refusal(
            Reason.VERSION_MISMATCH,
            f"the newest version of {template.invoke_name} is {latest.number}, not {expected_version}",
            metadata={"version": str(latest.number), "expected_version": str(expected_version)},
        )


def read_content(version: TemplateVersion) -> ContentForm:
    return read_contents([version])[version.id]


def read_contents(versions: Sequence[TemplateVersion]) -> dict[int, ContentForm]:
    """The contents of versions, by their ids."""
    ids = [version.id for version in versions]
    variants: dict[int, list[VariantForm]] = {id_: [] for id_ in ids}
    variables: dict[int, list[VariableForm]] = {id_: [] for id_ in ids}
    syntaxes = {version.id: Syntax(version.syntax) for version in versions}
    for variant in (
        TemplateVariant.select()
        .where(TemplateVariant.version_id.in_(ids))
        .order_by(TemplateVariant.version_id, TemplateVariant.position)
    ):
        variants[variant.version_id].append(
            VariantForm(variant.language, variant.subject, variant.html or "", variant.text or "")
        )
    for row in (
        TemplateVariable.select()
        .where(TemplateVariable.version_id.in_(ids))
        .order_by(TemplateVariable.version_id, TemplateVariable.position)
    ):
        variables[row.version_id].append(_variable_form(row, syntaxes[row.version_id]))
    return {
        version.id: ContentForm(
            syntax=Syntax(version.syntax),
            default_language=version.default_language,
            variants=tuple(variants[version.id]),
            variables=tuple(variables[version.id]),
            sample_params=None if version.samples is None else json.loads(version.samples),
            validity=version.validity,
        )
        for version in versions
    }


def record_of(template: Template, *, with_content: bool) -> TemplateRecord:
    return records_of([template], with_content=with_content)[0]


def records_of(templates: Sequence[Template], *, with_content: bool) -> list[TemplateRecord]:
    """Templates as they may be shown, in the order given."""
    versions = _versions(
        [template.latest_version_id for template in templates]
        + [template.approved_version_id for template in templates if template.approved_version_id]
    )
    contents: dict[int, ContentForm] = {}
    if with_content:
        contents = read_contents([versions[template.latest_version_id] for template in templates])
    records = []
    for template in templates:
        latest = versions[template.latest_version_id]
        approved = versions.get(template.approved_version_id)
        records.append(
            TemplateRecord(
                id=template.id,
                tenant_id=template.tenant_id,
                invoke_name=template.invoke_name,
                name=template.name,
                kind=TemplateKind(template.kind),
                version=latest.number,
                review_state=ReviewState(latest.review_state),
                approved_version=approved.number if approved is not None else 0,
                author=latest.author,
                create_time=template.create_time,
                update_time=template.update_time,
                content=contents.get(latest.id),
            )
        )
    return records


def version_records(versions: Sequence[TemplateVersion], *, with_content: bool) -> list[VersionRecord]:
    """Versions as they may be shown, in the order given."""
    contents = read_contents(versions) if with_content else {}
    return [
        VersionRecord(
            version=row.number,
            name=row.name,
            kind=TemplateKind(row.kind),
            review_state=ReviewState(row.review_state),
            submit_time=row.submit_time,
            reviewer=row.reviewer or "",
            review_time=row.review_time,
            review_reason=row.review_reason or "",
            author=row.author,
            create_time=row.create_time,
            restored_version=row.restored_number or 0,
            content=contents.get(row.id),
        )
        for row in versions
    ]


def _versions(ids: Collection[int]) -> dict[int, TemplateVersion]:
    rows: Iterable[TemplateVersion] = TemplateVersion.select().where(TemplateVersion.id.in_(list(ids)))
    return {row.id: row for row in rows}


def _variable_row(
    id_: int, version_id: int, position: int, variable: VariableForm, syntax: Syntax
) -> dict[str, object]:
    return {
        "id": id_,
        "version_id": version_id,
        "position": position,
        "name": variable.name,
        "type": str(variable.type),
        "required": variable.required is not False,
        "declared": variable.declared,
        "literal": variable.literal,
        "raw": variable.raw,
        "default_value": None if variable.default is None else stored_default(syntax, variable.default),
    }


def _variable_form(row: TemplateVariable, syntax: Syntax) -> VariableForm:
    type_ = VariableType(row.type)
    return VariableForm(
        name=row.name,
        type=type_,
        required=bool(row.required),
        default=None if row.default_value is None else read_default(syntax, type_, row.default_value),
        raw=bool(row.raw),
        literal=bool(row.literal),
        declared=bool(row.declared),
    )


def _as_json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
