"""How views describe themselves in OpenAPI: the parts that are the same for all of them."""

from __future__ import annotations

import re
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from apps.api.problems import CONTENT_TYPE
from apps.tenants.permissions import KEY_SCOPES

_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]+$"},
    location=OpenApiParameter.HEADER,
    description="A repeated request with the same key gets the first one's answer and does nothing.",
)


_SECURITY_SCHEMES = {
    "apiKey": {"type": "http", "scheme": "bearer"},
    "oauth2": {
        "type": "oauth2",
        "flows": {
            "clientCredentials": {
                "tokenUrl": "/api/oauth/token",
                "scopes": dict.fromkeys(sorted(KEY_SCOPES), "As of API keys."),
            }
        },
    },
}


def add_security_schemes(result: dict[str, Any], **_generation: Any) -> dict[str, Any]:
    """A post-processing hook of the generator."""
    result.setdefault("components", {})["securitySchemes"] = _SECURITY_SCHEMES
    return result


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457, with a `code` to program against. Some codes bring members of their own."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable; the sentence in `detail` is not.")
    detail = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]  # a field, not the serializer's own property
        child=serializers.ListField(child=serializers.CharField()), required=False,
        help_text="Field, as a dotted path, to what is wrong with it.",
    )  # fmt: skip


class ApiSchema(AutoSchema):
    """Adds what every operation has: Bearer authentication, problems, and an Idempotency-Key on POST."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        view: Any = self.view
        required = view.permissions[self.method]
        return [{"apiKey": []}, {"oauth2": [required] if required else []}]

    def get_override_parameters(self) -> list[Any]:
        return [_IDEMPOTENCY_KEY] if self.method == "POST" else []

    def get_summary(self) -> str:
        return self._docstring[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]
        return " ".join(self._docstring[1:])

    @property
    def _docstring(self) -> list[str]:
        """The handler's: its first sentence is the operation's summary, the rest its description."""
        return re.split(r"(?<=\.)\s", super().get_description(), maxsplit=1)

    def get_tags(self) -> list[str]:
        return [self._tokenize_path()[0]]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction=direction)
        problem = OpenApiResponse(ProblemSerializer, description="What is wrong, and its code")
        describe: Any = self._get_response_for_code
        bodies["default"] = describe(problem, "default", media_types=[CONTENT_TYPE])
        return bodies
