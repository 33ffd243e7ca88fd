"""The desk: what waits for people, the next one to take, and every act on one of them."""

import re
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractUser
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
)
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.acting import ActingAdmin, person_of
from verification.admin.attempts import AttemptAdmin, attempt_address
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of, status_of
from verification.admin.review_acts import ACTS, GLASS, Posted
from verification.admin.review_bulk import bulk_context, read_bulk
from verification.admin.review_desk import desk_address, doors, mention_rows, review_rows
from verification.admin.review_listing import ReviewFilterForm, found_for, list_reviews, way_back
from verification.admin.review_panel import Trouble, choices_now
from verification.models import Review, VerificationAttempt
from verification.models.review import ReviewState
from verification.selectors.colleagues import colleagues
from verification.selectors.record import client_names
from verification.selectors.reviews import ReviewFilter, queue_counts, unseen_mentions
from verification.selectors.saved_filters import saved_filters
from verification.services.errors import ServiceError, UnknownAttemptError, UnknownReviewError
from verification.services.mentions import see_mentions
from verification.services.review_bulk import decide_bulk, preview_bulk
from verification.services.review_queue import take_next
from verification.services.runtime import get_runtime
from verification.services.saved_filters import delete_filter, rename_filter, save_filter

NAME = "verification_review"
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
GONE = (UnknownAttemptError, UnknownReviewError)


@admin.register(Review)
class ReviewAdmin(ActingAdmin[Review]):
    """The desk; a review itself is shown on the page of its attempt."""

    def get_urls(self) -> list[URLPattern]:
        """Add the acts to the desk and to each review."""
        wrap = self.admin_site.admin_view
        return [
            path("next/", wrap(self.next_view), name=f"{NAME}_next"),
            path("mentions/", wrap(self.mentions_view), name=f"{NAME}_mentions"),
            path("bulk/", wrap(self.bulk_view), name=f"{NAME}_bulk"),
            path("filters/save/", wrap(self.save_view), name=f"{NAME}_save"),
            path("filters/<int:filter_id>/", wrap(self.filter_view), name=f"{NAME}_filter"),
            path(f"<uuid:record_id>/{GLASS}/", wrap(self.glass_view), name=f"{NAME}_glass"),
            path("<uuid:record_id>/<slug:act>/", wrap(self.act_view), name=f"{NAME}_act"),
            *super().get_urls(),
        ]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the desk, narrowed as the address asks."""
        form = _form(request.GET)
        if elsewhere := way_back(request, form):
            return elsewhere
        now, person = timezone.now(), person_of(request)
        is_valid = form.is_valid()
        found = found_for(form, person.pk, now) if is_valid else None
        listing = list_reviews(request, form, found)
        return self.page(
            request,
            "review_list",
            _("Desk"),
            status=200 if is_valid else 400,
            form=form,
            listing=listing,
            rows=review_rows(listing.rows, person, now),
            doors=doors(queue_counts(at=now, person_id=person.pk), form.given),
            query=urlencode(form.given),
            saved=[(each, f"?{each.query}") for each in saved_filters(person.pk)],
            works=person.has_perm("verification.work_review"),
            choices=choices_now(),
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:  # noqa: ARG002
        """Lead to the page of the attempt, which shows its review."""
        return HttpResponseRedirect(attempt_address(record_id))

    def next_view(self, request: HttpRequest) -> HttpResponse:
        """Take the most pressing review of the list that the form names."""
        if refused := self.unless_posted(request, "view_review"):
            return refused
        return self._next(request, request.POST.get("query", ""))

    @method_decorator(sensitive_post_parameters("note"))
    def act_view(self, request: HttpRequest, record_id: UUID, act: str) -> HttpResponse:
        """Do one thing with one review; what is refused is told on its page, nothing typed is lost.

        With `then=next` the next review is taken when it is done.
        """
        if act not in ACTS:
            raise Http404("There is no such act.")
        return self._act(request, record_id, act)

    @method_decorator(sensitive_post_parameters("note"))
    @requires_fresh_login
    def glass_view(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Decide alone where two people are due."""
        return self._act(request, record_id, GLASS)

    @method_decorator(sensitive_post_parameters("note"))
    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a decision would mean for each review that was ticked, then take it."""
        if refused := self.unless_posted(request, "view_review"):
            return refused
        person = person_of(request)
        try:
            asked = read_bulk(request.POST)
            is_sure = "sure" in request.POST
            if is_sure:
                bulk = decide_bulk(
                    **asked.chosen,
                    note=asked.note,
                    by=person,
                    runtime=get_runtime(),
                    seen=asked.seen,
                )
            else:
                bulk = preview_bulk(**asked.chosen, by=person, runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, desk_address())
        title = _("What was done") if is_sure else _("What would be done")
        return self.page(
            request, "review_bulk", title, is_done=is_sure, **bulk_context(bulk, asked)
        )

    def mentions_view(self, request: HttpRequest) -> HttpResponse:
        """Show where colleagues named the reader; by POST, mark what was shown as seen."""
        self._check(request)
        person = person_of(request)
        if request.method == "POST":
            shown = [
                int(each) for each in request.POST.getlist("mention") if NUMBER.fullmatch(each)
            ]
            see_mentions(mention_ids=shown, by=person, runtime=get_runtime())
            return HttpResponseRedirect(desk_address())
        rows = mention_rows(unseen_mentions(person.pk)[:100])
        return self.page(request, "review_mentions", _("You were named"), rows=rows)

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the filter of the desk under a name."""
        if refused := self.unless_posted(request, "view_review"):
            return refused
        form = _form(QueryDict(request.POST.get("query", "")))
        query = urlencode(form.given) if form.is_valid() else ""
        name = request.POST.get("name", "")
        try:
            save_filter(name=name, query=query, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, desk_address())
        messages.success(request, _("The filter is kept. Its link can be passed on."))
        return HttpResponseRedirect(f"{desk_address()}?{query}")

    def filter_view(self, request: HttpRequest, filter_id: int) -> HttpResponse:
        """Rename or delete a filter of one's own."""
        if refused := self.unless_posted(request, "view_review"):
            return refused
        person = person_of(request)
        try:
            if "delete" in request.POST:
                delete_filter(filter_id=filter_id, by=person)
            else:
                rename_filter(filter_id=filter_id, name=request.POST.get("name", ""), by=person)
        except ServiceError as error:
            return self.refusal(request, error, desk_address())
        return HttpResponseRedirect(desk_address())

    def _act(self, request: HttpRequest, record_id: UUID, act: str) -> HttpResponse:
        if refused := self.unless_posted(request, "view_review"):
            return refused
        try:
            done = ACTS[act](Posted(record_id, person_of(request), request.POST))
        except GONE as error:
            raise Http404(str(error)) from error
        except ServiceError as error:
            return self._refused(request, record_id, act, error)
        messages.success(request, done)
        if request.POST.get("then") == "next":
            return self._next(request, request.session.get("desk", ""))
        return HttpResponseRedirect(attempt_address(record_id))

    def _next(self, request: HttpRequest, query: str) -> HttpResponse:
        form = _form(QueryDict(query))
        person = person_of(request)
        if not form.is_valid():
            return HttpResponseRedirect(desk_address())
        request.session["desk"] = kept = urlencode(form.given)
        try:
            review = take_next(by=person, runtime=get_runtime(), which=_for(person, form))
        except ServiceError as error:
            return self.refusal(request, error, desk_address())
        if review is None:
            messages.info(request, _("Nothing of this list is free for you now."))
            return HttpResponseRedirect(f"{desk_address()}?{kept}")
        if request.POST.get("current") == str(review.pk):
            messages.info(request, _("This one is still yours: decide, snooze or give it back."))
        return HttpResponseRedirect(attempt_address(review.pk))

    def _refused(
        self, request: HttpRequest, record_id: UUID, act: str, error: ServiceError
    ) -> HttpResponse:
        given = request.POST
        trouble = Trouble(
            act,
            sentence_of(error),
            given.get("note", ""),
            given.get("decision", ""),
            given.get("reason_code", ""),
        )
        pages = cast("AttemptAdmin", self.admin_site.get_model_admin(VerificationAttempt))
        return pages.troubled(request, record_id, trouble, status_of(error))


def _form(data: QueryDict) -> ReviewFilterForm:
    return ReviewFilterForm(data, client_names(), colleagues())


def _for(person: AbstractUser, form: ReviewFilterForm) -> ReviewFilter:
    """Return the filter, without proposals for who may not agree to them."""
    which = form.which(person.pk)
    if which.state is None and not person.has_perm("verification.second_review"):
        return replace(which, state=ReviewState.OPEN)
    return which
