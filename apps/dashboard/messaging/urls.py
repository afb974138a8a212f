"""Routes of templates."""

from django.urls import path

from apps.dashboard.messaging import views

urlpatterns = [
    path("templates/", views.template_list, name="template-list"),
    path("templates/new", views.template_create, name="template-create"),
    path("templates/preview", views.words_preview, name="words-preview"),
    path("templates/<str:public_id>/", views.template_edit, name="template"),
    path("templates/<str:public_id>/delete", views.template_delete, name="template-delete"),
]
