"""The review policy in the admin: versions in plain words, changed by two people, tried out."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from verification.admin.acting import ActingAdmin, may, person_of, read_approval
from verification.admin.fragments import brief_moment, moment, pill, text
from verification.admin.policy_form import PasteForm, PolicyForm, fields_of
from verification.admin.policy_text import differences, doubtful_names, sections
from verification.admin.policy_wording import STATES
from verification.admin.readonly import READING
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of
from verification.admin.replay_pages import DAYS, replay_context, replay_rows
from verification.models import ReviewPolicy
from verification.models.policy import PolicyState
from verification.selectors.policies import (
    find_version,
    policy_in_force,
    read_document,
    replays_of,
    versions_for_list,
)
from verification.selectors.replays import find_replay
from verification.services.errors import BadPolicyError, BadReasonError, ServiceError
from verification.services.policies import decide_policy, propose_policy, withdraw_policy
from verification.services.replaying import cancel_replay, request_replay
from verification.services.runtime import get_runtime

NAME = "verification_reviewpolicy"
PROPOSE, DECIDE = "propose_policy", "decide_policy"


def version_address(version: int) -> str:
    """Return the path of a version's page."""
    return reverse(f"admin:{NAME}_change", args=[version])


def replay_address(replay_id: UUID) -> str:
    """Return the path of a what-if's page."""
    return reverse(f"admin:{NAME}_replay", args=[replay_id])


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(ActingAdmin[ReviewPolicy]):
    """Versions, newest first; a page for each, and for each what-if."""

    id_converter = "int"

    def get_urls(self) -> list[URLPattern]:
        """Add proposing, deciding and trying out to list and page."""
        wrap = self.admin_site.admin_view
        views: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
            "propose": ("propose/", self.propose_view),
            "paste": ("paste/", self.paste_view),
            "decide": ("<int:version>/decide/", self.decide_view),
            "withdraw": ("<int:version>/withdraw/", self.withdraw_view),
            "try": ("<int:version>/what-if/", self.try_view),
            "replay": ("what-if/<uuid:replay_id>/", self.replay_view),
            "cancel": ("what-if/<uuid:replay_id>/cancel/", self.cancel_view),
        }
        own = [path(at, wrap(view), name=f"{NAME}_{name}") for name, (at, view) in views.items()]
        return [*own, *super().get_urls()]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the versions."""
        rows = [
            {
                "address": version_address(each.version),
                "version": each.version,
                "state": _state(each.state),
                "by": text(each.proposed_by.get_username()) if each.proposed_by else None,
                "when": brief_moment(each.proposed_at),
                "decided_by": text(each.decided_by.get_username()) if each.decided_by else None,
                "note": text(each.note),
            }
            for each in versions_for_list()
        ]
        may_propose = may(request, PROPOSE)
        title = _("Review policy")
        return self.page(
            request, "policy_list", title, rows=rows, may_propose=may_propose, **context
        )

    def record_page(self, request: HttpRequest, record_id: int) -> HttpResponse:
        """Return one version: what it says, what it would change, and what can be done with it."""
        row = self.found(find_version(record_id))
        policy = read_document(row.document)
        active = policy_in_force()
        is_other = active is not None and active.version != row.version
        return self.page(
            request,
            "policy",
            _("Review policy, version %(version)s") % {"version": row.version},
            version=row,
            state=_state(row.state),
            note=text(row.note),
            proposed=moment(row.proposed_at),
            decided=moment(row.decided_at) if row.decided_at else None,
            retired=moment(row.retired_at) if row.retired_at else None,
            decision_note=text(row.decision_note) if row.decision_note else None,
            proposed_by=text(row.proposed_by.get_username()) if row.proposed_by else None,
            decided_by=text(row.decided_by.get_username()) if row.decided_by else None,
            is_open=row.state == PolicyState.PROPOSED,
            is_own=row.proposed_by_id == request.user.pk,
            may_propose=may(request, PROPOSE),
            may_decide=may(request, DECIDE),
            may_try=may(request, PROPOSE) or may(request, DECIDE),
            sections=sections(policy),
            doubtful=doubtful_names(policy),
            active=active.version if active else None,
            is_other=is_other,
            differences=differences(active.policy, policy) if active and is_other else [],
            replays=replay_rows(replays_of(row.version), replay_address),
            days=DAYS,
            document=row.document,
        )

    def propose_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, filled in as the version in force, or take it."""
        self.require(request, PROPOSE)
        if request.method in READING:
            active = policy_in_force()
            form = PolicyForm(initial=fields_of(active.policy) if active else None)
            return self._form_page(request, form, PasteForm(label_suffix=""))
        if request.method != "POST":
            return HttpResponseNotAllowed([*READING, "POST"])
        form = PolicyForm(request.POST)
        if form.is_valid():
            return self._propose(request, form, form.document(), PasteForm(label_suffix=""))
        return self._form_page(request, form, PasteForm(label_suffix=""), status=400)

    def paste_view(self, request: HttpRequest) -> HttpResponse:
        """Take a document as it stands in a file."""
        if refused := self.unless_posted(request, PROPOSE):
            return refused
        active = policy_in_force()
        form = PolicyForm(initial=fields_of(active.policy) if active else None)
        paste = PasteForm(request.POST, label_suffix="")
        if not paste.is_valid():
            return self._form_page(request, form, paste, status=400)
        document = paste.cleaned_data["document"].encode()
        return self._propose(request, paste, document, paste, fields=form)

    @requires_fresh_login
    def decide_view(self, request: HttpRequest, version: int) -> HttpResponse:
        """Put a version in force, or refuse it."""
        if refused := self.unless_posted(request, DECIDE):
            return refused
        try:
            approve = _decision(request)
            decide_policy(
                version=version,
                approve=approve,
                by=person_of(request),
                runtime=get_runtime(),
                note=request.POST.get("note", ""),
            )
        except ServiceError as error:
            return self.refusal(request, error, version_address(version))
        done = (
            _("Version %(version)s is in force: attempts sent from now on are judged by it.")
            if approve
            else _("Version %(version)s is refused.")
        )
        messages.success(request, done % {"version": version})
        return HttpResponseRedirect(version_address(version))

    def withdraw_view(self, request: HttpRequest, version: int) -> HttpResponse:
        """Take one's own proposal back."""
        if refused := self.unless_posted(request, PROPOSE):
            return refused
        try:
            withdraw_policy(version=version, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, version_address(version))
        messages.success(request, _("Version %(version)s is withdrawn.") % {"version": version})
        return HttpResponseRedirect(version_address(version))

    def try_view(self, request: HttpRequest, version: int) -> HttpResponse:
        """Ask for a what-if."""
        if refused := self.unless_posted(request, PROPOSE, DECIDE):
            return refused
        try:
            replay = request_replay(
                version=version, days=_days(request), by=person_of(request), runtime=get_runtime()
            )
        except ServiceError as error:
            return self.refusal(request, error, version_address(version))
        return HttpResponseRedirect(replay_address(replay.pk))

    def replay_view(self, request: HttpRequest, replay_id: UUID) -> HttpResponse:
        """Show how far a what-if is, and what it has found."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        replay = find_replay(replay_id)
        if replay is None:
            raise Http404
        return self.page(
            request,
            "policy_replay",
            _("What if version %(version)s") % {"version": replay.policy_id},
            version_address=version_address(replay.policy_id),
            may_try=may(request, PROPOSE) or may(request, DECIDE),
            **replay_context(replay, _state(replay.state)),
        )

    def cancel_view(self, request: HttpRequest, replay_id: UUID) -> HttpResponse:
        """End a what-if early."""
        if refused := self.unless_posted(request, PROPOSE, DECIDE):
            return refused
        try:
            cancel_replay(replay_id=replay_id, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, replay_address(replay_id))
        messages.success(request, _("The what-if is cancelled."))
        return HttpResponseRedirect(replay_address(replay_id))

    def _propose(
        self,
        request: HttpRequest,
        form: PolicyForm | PasteForm,
        document: dict[str, Any] | bytes,
        paste: PasteForm,
        fields: PolicyForm | None = None,
    ) -> HttpResponse:
        """Propose, or show the form again with what is wrong."""
        note = form.cleaned_data["note"]
        try:
            row = propose_policy(
                document=document, note=note, by=person_of(request), runtime=get_runtime()
            )
        except (BadPolicyError, BadReasonError) as error:
            form.add_error(None, sentence_of(error))
            return self._form_page(request, fields or cast("PolicyForm", form), paste, status=400)
        except ServiceError as error:
            return self.refusal(request, error, reverse(f"admin:{NAME}_propose"))
        messages.success(
            request,
            _("Version %(version)s is proposed. Somebody else must put it in force.")
            % {"version": row.version},
        )
        return HttpResponseRedirect(version_address(row.version))

    def _form_page(
        self, request: HttpRequest, form: PolicyForm, paste: PasteForm, *, status: int = 200
    ) -> HttpResponse:
        title = _("Propose a version")
        active = policy_in_force()
        return self.page(
            request,
            "policy_propose",
            title,
            status=status,
            form=form,
            paste=paste,
            active=active.version if active else None,
        )


def _state(state: str) -> Any:
    label, tone, shape = STATES[state]
    return pill(str(label), tone=tone, shape=shape)


def _decision(request: HttpRequest) -> bool:
    approve = read_approval(request)
    if approve and "sure" not in request.POST:
        raise BadReasonError(_("Confirm that you have read what changes."))
    return approve


def _days(request: HttpRequest) -> int:
    given = request.POST.get("days", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= 3 else 0  # noqa: PLR2004
