"""Routes of members and invitations."""

from django.urls import path

from apps.dashboard.members import invitation_views, views

urlpatterns = [
    path("members/", views.members, name="member-list"),
    path("members/invite/", views.invite, name="member-invite"),
    path("members/second-factor/", views.change_factor_policy, name="member-factor-policy"),
    path("members/<str:public_id>/role/", views.change_role, name="member-role"),
    path("members/<str:public_id>/remove/", views.remove, name="member-remove"),
    path("invitations/<str:public_id>/revoke/", views.revoke, name="invitation-revoke"),
    path("join/<str:token>/", invitation_views.accept, name="invitation-accept"),
]
