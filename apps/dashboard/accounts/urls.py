"""Routes of accounts: signing in and up, one's own profile and security."""

from django.urls import path

from apps.dashboard.accounts.views import passwords, profile, security, sign_in, sign_up

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-in/verify/", sign_in.verify, name="verify"),
    path("sign-out/", sign_in.sign_out, name="sign-out"),
    path("sign-up/", sign_up.sign_up, name="sign-up"),
    path("organisations/", sign_up.choose_tenant, name="choose-tenant"),
    path("password-reset/", passwords.password_reset, name="password-reset"),
    path("password-reset/sent/", passwords.password_reset_sent, name="password-reset-sent"),
    path("password-reset/<str:person>/<str:token>/", passwords.password_reset_confirm, name="password-reset-confirm"),
    path("profile/", profile.profile, name="profile"),
    path("security/", security.security, name="security"),
    path("security/password/", passwords.change_password, name="security-password"),
    path("security/enrol/", security.enrol, name="security-enrol"),
    path("security/recovery-codes/", security.recovery_codes, name="security-recovery-codes"),
    path("security/remove/", security.remove, name="security-remove"),
    path("security/sessions/end/", security.end_session, name="session-end"),
    path("security/sessions/end-others/", security.end_other_sessions, name="session-end-others"),
]
