"""The list of campaigns, the editor, the review before sending, the page to follow one."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audience.queries import audience_of
from apps.campaigns.errors import ScheduleInvalid, SendingRuleInvalid
from apps.campaigns.models import Campaign
from apps.campaigns.planner import Kind
from apps.campaigns.queries import counts_of_campaigns, messages_of
from apps.campaigns.services import create_campaign, update_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.simulation import simulate_campaign
from apps.campaigns.states import Status, may_change
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.after_forms import AfterForm, after_initial, as_fields
from apps.dashboard.campaigns.departures import departures_of
from apps.dashboard.campaigns.forms import CampaignForm, ScheduleForm
from apps.dashboard.campaigns.live import live_context
from apps.dashboard.campaigns.price import price_shown
from apps.dashboard.campaigns.timing_forms import TimingForm
from apps.dashboard.campaigns.timing_words import words_of
from apps.dashboard.errors import NoApplication
from apps.dashboard.forms import add_errors
from apps.dashboard.messaging.content import BaseVariants, known_attributes, merged, someone, variants
from apps.dashboard.messaging.typed import typed
from apps.messaging.errors import ContentMissing, ContentTooLarge, FollowUpInvalid, HandlingInvalid, TemplateInvalid
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Template
from apps.messaging.queries import reasons_of
from apps.messaging.sending.strategies import Strategy
from apps.tenants.models import TenantQuerySet

_PER_PAGE = 25
Forms = tuple[CampaignForm, TimingForm, AfterForm]


def campaigns_of(request: DashboardRequest) -> TenantQuerySet[Campaign]:
    campaigns = Campaign.objects.of(request.tenant).filter(application=request.application)
    return campaigns.select_related("template", "application", "tenant")


@page("campaigns.read")
@require_safe
def campaign_list(request: DashboardRequest) -> HttpResponse:
    query, status = typed(request.GET, "q"), request.GET.get("status", "")
    found = campaigns_of(request).order_by("-pk")
    if query:
        found = found.filter(name__icontains=query)
    if status in list(Status):
        found = found.filter(status=status)
    page_obj = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
    rows = list(page_obj.object_list)
    counts = counts_of_campaigns(rows)
    context = {
        "page_obj": page_obj,
        "rows": [(campaign, counts[campaign.pk]) for campaign in rows],
        "query": query,
        "status": status,
        "statuses": list(Status),
    }
    return render(request, "dashboard/campaigns/list.html", context)


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def campaign_create(request: DashboardRequest) -> HttpResponse:
    return _edit(request, None)


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def campaign_edit(request: DashboardRequest, public_id: str) -> HttpResponse:
    campaign = campaigns_of(request).access(public_id)
    if not may_change(campaign.status, campaign.next_at):
        return redirect("dashboard:campaign", public_id)
    return _edit(request, campaign)


def _edit(request: DashboardRequest, campaign: Campaign | None) -> HttpResponse:
    if request.application is None:
        raise NoApplication
    form = CampaignForm(request.POST or None, request, campaign)
    timing = TimingForm(request.POST or None, request, campaign)
    after = AfterForm(request.POST or None, initial=after_initial(campaign) if campaign else None)
    before = campaign.content if campaign else None
    own = request.POST.get("source", "own") == "own"
    words = variants(request.POST if own and request.POST else None, before, language=request.tenant.language)
    if request.method == "POST" and all(
        [form.is_valid(), timing.is_valid(), after.is_valid(), not own or words.is_valid()]
    ):
        saved = _save(request, campaign, (form, timing, after), words)
        if saved is not None:
            return redirect("dashboard:campaign", saved.public_id)
    context = {
        "form": form,
        "timing": timing,
        "after": after,
        "words": words,
        "campaign": campaign,
        "someone": someone(request),
        "attributes": known_attributes(request),
    }
    return render(request, "dashboard/campaigns/edit.html", context)


def _save(request: DashboardRequest, campaign: Campaign | None, forms: Forms, words: BaseVariants) -> Campaign | None:
    """The saved campaign, or None with the refusal on the form."""
    assert request.application is not None
    form, timing, after = forms
    try:
        plan = _plan(request, campaign, forms, words)
        if campaign is not None:
            seen = form.cleaned_data["version"]
            return update_campaign(tenant=request.tenant, campaign=campaign, plan=plan, version=seen)
        return create_campaign(
            tenant=request.tenant, application=request.application, plan=plan, created_by=request.user
        )
    except (TemplateInvalid, ContentMissing, ContentTooLarge) as error:
        words.add_faults(error)
    except (ScheduleInvalid, SendingRuleInvalid) as error:
        add_errors(timing, _on_fields(error))
    except (FollowUpInvalid, HandlingInvalid) as error:
        add_errors(after, as_fields(error))
    except HouseError as error:
        add_errors(form, error)
    return None


def _on_fields(error: HouseError) -> HouseError:
    """The same refusal, by the names that the editor's fields have."""
    names = {"quiet_hours": "quiet_from", "frequency_cap": "cap_days"}
    fields = {name.removeprefix("schedule."): sentences for name, sentences in error.fields.items()}
    return type(error)(error.message, fields={names.get(name, name): said for name, said in fields.items()})


def _plan(request: DashboardRequest, campaign: Campaign | None, forms: Forms, words: BaseVariants) -> Plan:
    form, timing, after = forms
    chosen = form.cleaned_data
    own = chosen["source"] == "own"
    template = None
    if not own:
        templates = Template.objects.of(request.tenant).filter(application=request.application)
        template = templates.access(chosen["template"])
    return Plan(
        name=chosen["name"],
        audience=form.audience,
        routes=chosen["routes"],
        strategy=Strategy(chosen["strategy"] or Strategy.IN_SEQUENCE),
        content=merged(words.content, campaign.content if campaign else None) if own else None,
        template=template,
        unknown_policy=UnknownPolicy(chosen["unknown_policy"]),
        schedule=timing.schedule,
        **timing.limits(),
        **after.plan,
    )


@page("campaigns.read")
@require_POST
def audience_count(request: DashboardRequest) -> HttpResponse:
    """How many people the form's audience is, while it is chosen."""
    if request.application is None:
        raise NoApplication
    form = CampaignForm(request.POST, request)
    context: dict[str, object] = {}
    form.is_valid()
    if not {"people", "segment", "external_ids"} & set(form.errors):
        try:
            people = audience_of(tenant=request.tenant, application=request.application, audience=form.audience)
            context["count"] = people.count()
        except HouseError as error:
            context["problem"] = error
    return render(request, "dashboard/campaigns/_audience.html", context)


@page("campaigns.read")
@require_safe
def campaign(request: DashboardRequest, public_id: str) -> HttpResponse:
    """A draft is reviewed here; anything later is followed."""
    shown = campaigns_of(request).access(public_id)
    if shown.status == Status.DRAFT:
        return review(request, shown, ScheduleForm(None, request.tenant.timezone))
    return render(request, "dashboard/campaigns/campaign.html", progress_of(shown) | live_context(request, shown))


def review(
    request: DashboardRequest, shown: Campaign, form: ScheduleForm, refusal: HouseError | None = None
) -> HttpResponse:
    is_once = shown.schedule["kind"] == Kind.AT
    context: dict[str, object] = {
        "campaign": shown, "form": form, "refusal": refusal, "is_once": is_once, "timing": words_of(shown)
    }  # fmt: skip
    try:
        found = simulate_campaign(shown)
        context |= {
            "simulation": found,
            # A Counter answers a template's `.items` with zero.
            "planned": list(found.planned.items()),
            "suppressed": list(found.suppressed.items()),
            "suppressed_total": found.suppressed.total(),
            "departures": departures_of(found.by_hour, request.tenant.timezone),
            "price": price_shown(found.price, request.LANGUAGE_CODE or "en") if found.price else None,
            "at_most": price_shown(found.price_at_most, request.LANGUAGE_CODE or "en") if found.price_at_most else None,
        }
    except HouseError as error:
        context["problem"] = error
    return render(request, "dashboard/campaigns/review.html", context)


@page("campaigns.read")
@require_safe
def campaign_progress(request: DashboardRequest, public_id: str) -> HttpResponse:
    """The part of the page that is asked for each second while something moves."""
    shown = campaigns_of(request).access(public_id)
    return render(request, "dashboard/campaigns/_progress.html", progress_of(shown))


def progress_of(shown: Campaign) -> dict[str, object]:
    message = messages_of([shown]).get(shown.pk)
    counts = counts_of_campaigns([shown])[shown.pk]
    has_ended = message is not None and message.ended_at is not None
    return {
        "campaign": shown,
        "message": message,
        "counts": counts,
        "waiting": counts.planned - counts.settled,
        "is_moving": shown.status in {Status.SCHEDULED, Status.SENDING} or (message is not None and not has_ended),
        "is_planned": message is not None and message.is_planned,
        "timing": words_of(shown),
        "may_change": may_change(shown.status, shown.next_at),
        "reasons": reasons_of(message) if message is not None and has_ended else [],
    }
