"""Routes of a person's choices."""

from django.urls import path

from apps.dashboard.preferences import views

urlpatterns = [
    path("preferences/language", views.set_language, name="set-language"),
    path("preferences/theme", views.set_theme, name="set-theme"),
    path("preferences/tenant", views.switch_tenant, name="switch-tenant"),
    path("preferences/application", views.switch_application, name="switch-application"),
]
