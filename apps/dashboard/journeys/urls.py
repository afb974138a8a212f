"""Routes of journeys."""

from django.urls import path

from apps.dashboard.journeys import actions, views

urlpatterns = [
    path("journeys/", views.journey_list, name="journey-list"),
    path("journeys/new", views.journey_create, name="journey-create"),
    path("journeys/<str:public_id>/", views.journey, name="journey"),
    path("journeys/<str:public_id>/edit", views.journey_edit, name="journey-edit"),
    path("journeys/<str:public_id>/people", views.journey_people, name="journey-people"),
    path("journeys/<str:public_id>/versions", views.journey_versions, name="journey-versions"),
    path("journeys/<str:public_id>/try", views.journey_try, name="journey-try"),
    path("journeys/<str:public_id>/approval", actions.journey_approval, name="journey-approval"),
    path("journeys/<str:public_id>/add", actions.journey_add, name="journey-add"),
    path("journeys/<str:public_id>/publish", actions.journey_publish, name="journey-publish"),
    path("journeys/<str:public_id>/pause", actions.journey_pause, name="journey-pause"),
    path("journeys/<str:public_id>/resume", actions.journey_resume, name="journey-resume"),
    path("journeys/<str:public_id>/archive", actions.journey_archive, name="journey-archive"),
    path("journeys/<str:public_id>/delete", actions.journey_delete, name="journey-delete"),
]
