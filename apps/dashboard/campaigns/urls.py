"""Routes of campaigns."""

from django.urls import path

from apps.dashboard.campaigns import (
    actions,
    approvals,
    calendar,
    deliveries,
    editor,
    estimates,
    live,
    recipients,
    timing,
    views,
)
from apps.dashboard.campaigns.results import comparison
from apps.dashboard.campaigns.results import views as results

urlpatterns = [
    path("campaigns/", views.campaign_list, name="campaign-list"),
    path("campaigns/new", editor.campaign_create, name="campaign-create"),
    path("campaigns/calendar", calendar.campaign_calendar, name="campaign-calendar"),
    path("campaigns/audience", estimates.audience_count, name="campaign-audience"),
    path("campaigns/readers", estimates.campaign_readers, name="campaign-readers"),
    path("campaigns/occurrences", timing.campaign_occurrences, name="campaign-occurrences"),
    path("campaigns/compare", comparison.campaign_compare, name="campaign-compare"),
    path("campaigns/<str:public_id>/", views.campaign, name="campaign"),
    path("campaigns/<str:public_id>/edit", editor.campaign_edit, name="campaign-edit"),
    path("campaigns/<str:public_id>/progress", views.campaign_progress, name="campaign-progress"),
    path("campaigns/<str:public_id>/deliveries", deliveries.campaign_deliveries, name="campaign-deliveries"),
    path("campaigns/<str:public_id>/recipient", recipients.campaign_recipient, name="campaign-recipient"),
    path("campaigns/<str:public_id>/results", results.campaign_results, name="campaign-results"),
    path("campaigns/<str:public_id>/results/part", results.campaign_results_part, name="campaign-results-part"),
    path("campaigns/<str:public_id>/live", live.campaign_live, name="campaign-live"),
    path("campaigns/<str:public_id>/results.csv", results.campaign_results_csv, name="campaign-results-csv"),
    path("campaigns/<str:public_id>/recipients.csv", results.campaign_recipients_csv, name="campaign-recipients-csv"),
    path("campaigns/<str:public_id>/winner", results.campaign_winner, name="campaign-winner"),
    path("campaigns/<str:public_id>/approval", approvals.campaign_approval, name="campaign-approval"),
    path("applications/<str:public_id>/safety", approvals.application_safety, name="application-safety"),
    path("campaigns/<str:public_id>/why", timing.campaign_why, name="campaign-why"),
    path("applications/<str:public_id>/quiet-hours", timing.application_quiet_hours, name="application-quiet-hours"),
    path("campaigns/<str:public_id>/schedule", actions.campaign_schedule, name="campaign-schedule"),
    path("campaigns/<str:public_id>/test", actions.campaign_test, name="campaign-test"),
    path("campaigns/<str:public_id>/pause", actions.campaign_pause, name="campaign-pause"),
    path("campaigns/<str:public_id>/resume", actions.campaign_resume, name="campaign-resume"),
    path("campaigns/<str:public_id>/cancel", actions.campaign_cancel, name="campaign-cancel"),
    path("campaigns/<str:public_id>/recall", actions.campaign_recall, name="campaign-recall"),
    path("campaigns/<str:public_id>/duplicate", actions.campaign_duplicate, name="campaign-duplicate"),
    path("campaigns/<str:public_id>/delete", actions.campaign_delete, name="campaign-delete"),
]
