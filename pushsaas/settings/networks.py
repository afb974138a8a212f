"""Calls to the outside: push networks, providers of this installation's own, letters."""

from pushsaas import env

#: Origins (`https://127.0.0.1:8443`) that may be called although they are not public, and a PEM file of CAs to trust.
EGRESS_ALLOW = frozenset(env.words("EGRESS_ALLOW"))
EGRESS_CA = env.text("EGRESS_CA")
#: A proxy for calls to push networks. It resolves names itself, so it must refuse inner addresses itself.
EGRESS_PROXY = env.text("EGRESS_PROXY")
#: Whether APNs and FCM are called by our own sender (docs/decisions/0113-own-http2-sender.md); else by the library.
OWN_HTTP2 = env.flag("OWN_HTTP2", default=True)

#: Where the networks are. apps/providers/counterparts has stand-ins, to try the product without accounts.
APNS_URLS = {
    "production": env.text("APNS_URL", "https://api.push.apple.com"),
    "sandbox": env.text("APNS_SANDBOX_URL", "https://api.sandbox.push.apple.com"),
}
#: Where the stand-ins of the push networks on this machine show what they took, and their push service for browsers.
#: Set by `make run`, empty where nobody started them.
STAND_INS_URL, STAND_INS_PUSH_URL = env.text("STAND_INS_URL"), env.text("STAND_INS_PUSH_URL")
FCM_URL = env.text("FCM_URL", "https://fcm.googleapis.com")
GOOGLE_TOKEN_URL = env.text("GOOGLE_TOKEN_URL", "https://oauth2.googleapis.com/token")
#: The phone makers' channels, and where the two with OAuth give their tokens.
VENDOR_URLS = {
    "huawei": env.text("HUAWEI_URL", "https://push-api.cloud.huawei.com"),
    "huawei_token": env.text("HUAWEI_TOKEN_URL", "https://oauth-login.cloud.huawei.com/oauth2/v3/token"),
    "harmony": env.text("HUAWEI_URL", "https://push-api.cloud.huawei.com"),
    "honor": env.text("HONOR_URL", "https://push-api.cloud.honor.com"),
    "honor_token": env.text("HONOR_TOKEN_URL", "https://iam.developer.honor.com/auth/token"),
    "xiaomi": env.text("XIAOMI_URL", "https://api.xmpush.xiaomi.com"),
    "oppo": env.text("OPPO_URL", "https://api.push.oppomobile.com"),
    "vivo": env.text("VIVO_URL", "https://api-push.vivo.com.cn"),
    "meizu": env.text("MEIZU_URL", "https://server-api-push.meizu.com"),
}

EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST, EMAIL_PORT = env.text("EMAIL_HOST", "localhost"), env.number("EMAIL_PORT", 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env.text("EMAIL_USER"), env.text("EMAIL_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_TLS")
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "pushsaas <noreply@localhost>")
