"""The names of everything the data plane keeps in Valkey. What one script touches shares a hash tag.

A channel's log lives under `{application:channel}`; presence and occupancy under `{application:partition}`, so that
an application's channels can be listed from a fixed number of keys; quotas under `{tenant}`.
"""

from __future__ import annotations

from zlib import crc32

PARTITIONS = 8
REGISTRY_CHANGED = "registry:changed"
USAGE = "rt:usage"
USAGE_ACKED = "rt:usage:acked"
BEHAVIOUR = "rt:behaviour"
RECEIPTS = "rt:receipts"
NODES = "rt:nodes"
ALLOWANCE_ASKS = "rt:allow:asks"
#: Partitions in which something waits for the application's webhooks: `tenant:application:number`.
HOOKS_WAITING = "rt:hooks:waiting"


def usage_told(hour: int) -> str:
    """What each node has counted for each tenant in an hour (Unix hours), so that billing can compare."""
    return f"rt:usage:told:{hour}"


def topic(application_id: str, channel: str) -> str:
    return f"rt:{{{application_id}:{channel}}}"


def meta(application_id: str, channel: str) -> str:
    return f"rt:{{{application_id}:{channel}}}:m"


def log(application_id: str, channel: str) -> str:
    return f"rt:{{{application_id}:{channel}}}:l"


def cached(application_id: str, channel: str) -> str:
    return f"rt:{{{application_id}:{channel}}}:c"


def publication(topic: str, idempotency_key: str) -> list[str]:
    """meta, log, cached and once of the channel with this topic."""
    return [f"{topic}:m", f"{topic}:l", f"{topic}:c", f"{topic}:i:{idempotency_key}"]


def partition_number(channel: str) -> int:
    return crc32(channel.encode()) % PARTITIONS


def partition(application_id: str, channel: str) -> str:
    return f"{application_id}:{partition_number(channel)}"


def members(application_id: str, channel: str) -> list[str]:
    """own (node|user pairs), cnt (nodes per user), info (user_info per user), seq (a counter of changes)."""
    tag = partition(application_id, channel)
    return [f"rt:{{{tag}}}:p:{part}:{channel}" for part in ("own", "cnt", "info", "seq")]


def online(application_id: str, user_id: str) -> list[str]:
    """own (node|user pairs), cnt (nodes per user), seq (a counter of changes), of the user's partition."""
    return [f"rt:{{{partition(application_id, user_id)}}}:o:{part}" for part in ("own", "cnt", "seq")]


def online_in(application_id: str, number: int) -> str:
    """cnt of one partition."""
    return f"rt:{{{application_id}:{number}}}:o:cnt"


def occupancy(application_id: str, channel: str) -> str:
    """Connections on this channel per node."""
    return f"rt:{{{partition(application_id, channel)}}}:n:{channel}"


def occupied(application_id: str, number: int) -> str:
    """Connections per occupied channel, in one partition."""
    return f"rt:{{{application_id}:{number}}}:channels"


def occupied_of(application_id: str, channel: str) -> str:
    return f"rt:{{{partition(application_id, channel)}}}:channels"


def hooks(application_id: str, number: int) -> str:
    """Channel events of one partition that webhooks will tell, in their order."""
    return f"rt:{{{application_id}:{number}}}:hooks"


def linger(application_id: str, number: int) -> str:
    """Departures that may still be taken back, by the time they count from (ms)."""
    return f"rt:{{{application_id}:{number}}}:linger"


def hooks_of(application_id: str, channel: str) -> list[str]:
    """hooks and linger of the channel's partition."""
    number = partition_number(channel)
    return [hooks(application_id, number), linger(application_id, number)]


def missed(application_id: str, channel: str) -> str:
    """Exists while a miss of this cache channel has just been told."""
    return f"rt:{{{partition(application_id, channel)}}}:missed:{channel}"


def connections(tenant_id: int, application_id: str = "") -> str:
    """Connections per node (and `*` for all) of a tenant, or of one of its applications."""
    return f"rt:conns:{{{tenant_id}}}:{application_id or 'tenant'}"


def message_allowance(tenant_id: int, application_id: str = "") -> str:
    """Of a tenant, or of one of its applications that has a limit of its own."""
    return f"rt:allow:{{{tenant_id}}}:messages" + (f":{application_id}" if application_id else "")


def message_allowances(tenant_id: int, application_id: str) -> list[str]:
    """What a publication of the application is taken from."""
    return [message_allowance(tenant_id), message_allowance(tenant_id, application_id)]


def connection_allowance(tenant_id: int, application_id: str = "") -> str:
    """Of a tenant, or of one of its applications that has a limit of its own."""
    return f"rt:allow:{{{tenant_id}}}:connections" + (f":{application_id}" if application_id else "")


def connection_allowances(tenant_id: int, application_id: str) -> list[str]:
    """What a connection of the application is admitted by."""
    return [connection_allowance(tenant_id), connection_allowance(tenant_id, application_id)]


def publish_rate(application_id: str) -> str:
    """Token bucket of an application's publications."""
    return f"rt:{{{application_id}}}:rate"


def control(application_id: str) -> str:
    """Commands to every gateway that holds signed-in connections of an application."""
    return f"rt:{{{application_id}}}:control"


def fallback_session(name: str) -> str:
    """What the gateway in which an HTTP session lives must hear of it. name: begins with the application's id."""
    return f"rt:http:session:{name}"


def fallback_node(node: str) -> str:
    """What a gateway must write into responses that are open there for sessions of others."""
    return f"rt:http:node:{node}"


def watch(application_id: str) -> str:
    """Exists while somebody looks at the application's console."""
    return f"rt:{{{application_id}}}:watch"


def trace(application_id: str) -> str:
    return f"rt:{{{application_id}}}:trace"


def fault_counts(application_id: str, hour: int) -> str:
    """How often each error code was met in an hour (Unix hours)."""
    return f"rt:{{{application_id}}}:faults:{hour}"


def last_faults(application_id: str) -> str:
    """What was last said with each error code, and when."""
    return f"rt:{{{application_id}}}:faults:last"


def followed(application_id: str) -> str:
    """Socket ids that somebody looks at, by the time (Unix seconds) until which."""
    return f"rt:{{{application_id}}}:followed"


def trail(application_id: str, socket_id: str) -> str:
    return f"rt:{{{application_id}}}:trail:{socket_id}"


def snapshot(application_id: str, node: str) -> str:
    return f"rt:{{{application_id}}}:connections:{node}"


def snapshots(application_id: str) -> str:
    """The nodes that lately wrote a snapshot, by time."""
    return f"rt:{{{application_id}}}:snapshots"


def lease(node: str) -> str:
    return f"rt:node:{{{node}}}:lease"


def inventory(node: str) -> str:
    """Everything a node holds elsewhere, so that a janitor can give it back when the node dies."""
    return f"rt:node:{{{node}}}:inventory"


def janitor(node: str) -> str:
    return f"rt:node:{{{node}}}:janitor"


def probe(node: str) -> str:
    return f"rt:probe:{node}"
