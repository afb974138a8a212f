"""What the demo application holds: subscribers around the world, a segment of them, a template for them."""

from __future__ import annotations

from apps.audience.services.segments import create_segment
from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.messaging.services.templates import create_template
from apps.tenants.models import Application, Tenant

#: external id, name, plan, visits, language, time zone. Linus has no name on purpose: the template falls back.
_PEOPLE = [
    ("ada", "Ada", "pro", 42, "en", "Europe/London"),
    ("grace", "Grace", "pro", 17, "en", "America/New_York"),
    ("linus", "", "free", 3, "en", "Europe/Helsinki"),
    ("meiling", "美玲", "pro", 58, "zh-Hans", "Asia/Shanghai"),
    ("xiaoming", "小明", "free", 9, "zh-Hans", "Asia/Shanghai"),
    ("radia", "Radia", "free", 1, "en", "America/Los_Angeles"),
    ("dennis", "Dennis", "free", 27, "en", "Australia/Sydney"),
    ("barbara", "Barbara", "pro", 33, "en", "America/Sao_Paulo"),
]
_TEMPLATE = {
    "en": {
        "title": "Hello {{ subscriber.name | default: 'there' }}!",
        "body": "You came by {{ subscriber.visits }} times. "
        "{% if subscriber.plan == 'pro' %}Thank you for being on Pro.{% else %}Pro is 20 % off this week.{% endif %}",
    },
    "zh-Hans": {
        "title": "{{ subscriber.name | default: '朋友' }}，你好！",
        "body": "您已来访 {{ subscriber.visits }} 次。"
        "{% if subscriber.plan == 'pro' %}感谢您使用专业版。{% else %}本周专业版八折。{% endif %}",
    },
}


def fill(*, tenant: Tenant, application: Application) -> None:
    """Inside the tenant's scope."""
    people = [
        {
            "external_id": external_id,
            "attributes": {"plan": plan, "visits": visits, **({"name": name} if name else {})},
            "tags": ["demo"],
            "language": language,
            "timezone": zone,
        }
        for external_id, name, plan, visits, language, zone in _PEOPLE
    ]
    upsert_subscribers_in_bulk(tenant=tenant, application=application, people=people)
    rules = {"field": "attribute", "key": "plan", "relation": "=", "value": "pro"}
    create_segment(tenant=tenant, application=application, name="On Pro", rules=rules)
    create_template(tenant=tenant, application=application, name="Welcome back", content=_TEMPLATE)
