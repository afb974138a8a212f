"""The REST API and its limits."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
#: Token buckets of the REST API: capacity in requests, refill per second. The tenant's holds all its keys together.
API_RATE_LIMITS = {"key": (600, 60), "tenant": (1_200, 120)}
#: The same for `/api/oauth/`: of one client from one network, and of a network with all clients it names.
OAUTH_RATE_LIMITS = {"client": (30, 0.5), "network": (120, 2)}
#: Of the doors for clients without a key (receipts, inbox), for each network they come from.
CLIENT_RATE_LIMIT = (3_000, 300)
SPECTACULAR_SETTINGS = {
    "TITLE": "pushsaas REST API",
    "VERSION": "1",
    "DESCRIPTION": (
        "Every call carries `Authorization: Bearer <API key or OAuth 2.0 access token>`, and speaks for the "
        "application of that key or client. "
        "Errors are problem+json with a stable `code`. Lists are pages: pass `next` as `cursor`. "
        "A POST with an `Idempotency-Key` is done once, however often it is repeated."
    ),
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.api.schema.add_security_schemes",
    ],
}
