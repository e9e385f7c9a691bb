"""Small scenarios that tests of plans are made of."""

from tokonomi.plan.scenario import Scenario
from tokonomi.plans import Plan

HEAD = """
[plan]
name = "t"
at = 2026-01-30
"""
CHAT = """
[volume]
sessions_per_month = 1000

[[feature]]
name = "chat"
input_tokens = 200
output_tokens = 400
models = [{ model = "seed-001/gpt-5.1" }]
"""


def plan_of(text: str) -> Plan:
    """The plan of a text, under the usual head when it has none."""
    return Plan.of(text if "[plan]" in text else HEAD + text)


def chat(extra: str = "", *, head: str = "") -> Plan:
    """The plan of the small chat with more keys of its feature, or other tables after them."""
    return Plan.of(HEAD + head + CHAT + extra)


def scenario(text: str) -> Scenario:
    """The scenario of a text."""
    return plan_of(text).scenario


SHOP = """
[plan]
name = "t"
at = 2026-01-30
currency = "IDR"
[volume]
sessions_per_month = 1
[[exchange]]
base = "USD"
quote = "IDR"
rate = 16_000
on = 2026-01-30
source = "s"
[credits]
packages = ["paper"]
primary = "seed-001/gemini-2.5-flash"
fallback = "seed-001/gpt-5.1"
"""
