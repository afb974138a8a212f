"""`make chaos SEED= FAULTS=`: the long form. Ends with 1 and what was broken when a promise was."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import django


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pushsaas.settings")
    django.setup()
    from tests.chaos.faults import Chaos, Report
    from tests.chaos.metering import Metering
    from tests.chaos.presence import PresenceWalk
    from tests.chaos.presence import Report as Walked
    from tests.live import Live

    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    faults = int(os.environ.get("FAULTS") or 60)
    print(f"SEED={seed} FAULTS={faults}", flush=True)
    home = Path(tempfile.mkdtemp(prefix="pushsaas-chaos-"))
    live = Live(home)

    async def campaign() -> tuple[Report, Walked, Report]:
        # In one loop: a Valkey that was started again dies with the loop's threads, of which one is its parent.
        return (
            await Chaos(live, live.tenant(), seed).run(faults),
            await PresenceWalk(live, live.tenant("Presence"), seed).run(faults),
            await Metering(live, live.tenant("Metered"), seed).run(1 + faults // 10),
        )

    try:
        report, walk, metering = asyncio.run(campaign())
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(f"faults       {', '.join(report.faults)}")
    print(f"published    {report.published} acknowledged, heard over {report.connections} connections")
    print(f"gaps said    {report.gaps} (the first subscription of each channel included)")
    print(f"presence     {len(walk.steps)} steps over three gateways")
    print(f"metered      {metering.metered}")
    broken = report.broken + walk.broken + metering.broken
    print(f"broken       {len(broken)}")
    for sentence in broken:
        print(f"  {sentence}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
