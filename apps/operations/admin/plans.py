"""Plans, their versions and tax rates. A version that was issued is never edited: a new one takes its place."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.billing.catalogue import publish_version
from apps.billing.models import Plan, PlanVersion, TaxRate
from apps.billing.pricing import Terms
from apps.operations.admin.base import OpenToOperators, as_text
from apps.operations.admin.site import ask_again, operator_site
from apps.operations.admin.terms_form import VersionForm
from apps.operations.operators import record_operation


class Recorded(OpenToOperators):
    """Rows of the installation that operators add and change here, each time with a fresh factor and a record."""

    may_add = may_change = True
    #: Fields that are written down before and after.
    recorded: tuple[str, ...] = ()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        first = ask_again(request) if request.method == "POST" else None
        return first or super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], change: bool) -> None:
        with transaction.atomic():
            before = self._facts(type(obj).objects.get(pk=obj.pk)) if change else {}
            super().save_model(request, obj, form, change)
            record_operation(
                operator=cast("User", request.user),
                action=f"{self.opts.model_name}.{'change' if change else 'add'}",
                target=obj.code,
                before=before,
                after=self._facts(obj),
            )

    def _facts(self, row: Any) -> dict[str, Any]:
        values = {name: getattr(row, name) for name in self.recorded}
        return {name: value if isinstance(value, bool | int) else str(value) for name, value in values.items()}

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """`save_model` has written it down."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """`save_model` has written it down."""


@admin.register(TaxRate, site=operator_site)
class TaxRateAdmin(Recorded):
    list_display = ("name", "code", "percent", "is_inclusive", "reason")
    search_fields = ("name", "code")
    fields = ("code", "name", "percent", "is_inclusive", "reason")
    recorded = fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()


@admin.register(Plan, site=operator_site)
class PlanAdmin(Recorded):
    list_display = ("name", "code", "newest", "created_at")
    search_fields = ("name", "code")
    fields = ("code", "name", "versions_shown")
    readonly_fields = ("versions_shown",)
    recorded = ("code", "name")
    change_form_template = "admin/operator/plan.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code", "versions_shown") if obj else ("versions_shown",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.new_version)
        return [path("<int:plan_id>/version/", view, name="billing_plan_version"), *super().get_urls()]

    @admin.display(description=gettext_lazy("newest version"))
    def newest(self, plan: Plan) -> int | str:
        return plan.versions.order_by("-number").values_list("number", flat=True).first() or "–"

    @admin.display(description=gettext_lazy("versions"))
    def versions_shown(self, plan: Plan) -> SafeString | str:
        if plan._state.adding:
            return _("Save the plan, then give it terms.")
        url = reverse("admin:billing_planversion_changelist", current_app=self.admin_site.name)
        return format_html('<a href="{}?plan__id__exact={}">{}</a>', url, plan.pk, plan.versions.count())

    def new_version(self, request: HttpRequest, plan_id: int) -> HttpResponse:
        """The newest terms to start from; what is sent becomes the next version."""
        plan = Plan.objects.filter(pk=plan_id).first()
        if plan is None:
            raise Http404
        if (first := ask_again(request)) is not None:
            return first
        newest = plan.versions.order_by("-number").first()
        form = VersionForm(request.POST if request.method == "POST" else None, newest.terms if newest else None)
        if request.method == "POST" and form.is_valid() and (terms := form.terms()) is not None:
            version = _publish(request, plan, terms, newest)
            messages.success(request, _("%(version)s is what tenants get from now on.") % {"version": version})
            return redirect("admin:billing_plan_change", plan.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("New version of %(plan)s") % {"plan": plan},
            "plan": plan,
            "form": form,
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/operator/version.html", context)


@transaction.atomic
def _publish(request: HttpRequest, plan: Plan, terms: Terms, newest: PlanVersion | None) -> PlanVersion:
    version = publish_version(plan=plan, terms=terms)
    record_operation(
        operator=cast("User", request.user),
        action="plan.version",
        target=plan.code,
        before={"number": newest.number, "terms": newest.terms_json} if newest else {},
        after={"number": version.number, "terms": version.terms_json},
    )
    return version


@admin.register(PlanVersion, site=operator_site)
class PlanVersionAdmin(OpenToOperators):
    """To read: a trigger refuses every change, and `PlanAdmin.new_version` makes the next one."""

    list_display = ("plan", "number", "currency", "fee", "created_at")
    list_filter = ("plan",)
    list_select_related = ("plan",)
    search_fields = ("plan__name", "plan__code")
    ordering = ("plan__name", "-number")
    fields = ("plan", "number", "created_at", "terms_shown")
    readonly_fields = ("terms_shown", "created_at")

    @admin.display(description=gettext_lazy("currency"))
    def currency(self, version: PlanVersion) -> str:
        return version.terms.currency

    @admin.display(description=gettext_lazy("base fee"))
    def fee(self, version: PlanVersion) -> str:
        return f"{version.terms.flat_fee.normalize():f}"

    @admin.display(description=gettext_lazy("terms"))
    def terms_shown(self, version: PlanVersion) -> SafeString:
        return as_text(version.terms_json)
