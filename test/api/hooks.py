"""Tells Schemathesis how to generate values of the document's own formats, and a new Idempotency-Key for each request."""

import base64
import datetime
import json
import pathlib
import uuid
import zoneinfo

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

LAST_INSTANT = 253402300800_000_000  # the year 10000, in microseconds


def cursor(at: int, identity: uuid.UUID) -> str:
    """A page cursor, as functions/internal/route writes it."""
    return base64.urlsafe_b64encode(at.to_bytes(8, "big") + identity.bytes).decode()


schemathesis.openapi.format("etag", st.integers(1, 9).map('"{}"'.format) | st.just("*"))
schemathesis.openapi.format("cursor", st.builds(cursor, st.integers(0, LAST_INSTANT), st.uuids()))
MINOR_UNITS = pathlib.Path(__file__).parents[2] / "specs/004-order-notifications/contracts/minor-units.json"
CURRENCIES = " ".join(" ".join(lines) for lines in json.loads(MINOR_UNITS.read_text())["digits"].values()).split()

schemathesis.openapi.format("day", st.dates(datetime.date(1970, 1, 2), datetime.date(9998, 12, 30)).map(str))
schemathesis.openapi.format("iso-4217", st.sampled_from(CURRENCIES))
schemathesis.openapi.format("language-tag", st.sampled_from(["en", "id", "en-GB", "de", "zh-Hant"]))
# Names by the rule of text.json: its cases, and others of visible characters, spaces and joiners. Generating them from the
# patterns of the document, which define exactly what is allowed, would take too long.
NAMES = json.loads((MINOR_UNITS.parent / "text.json").read_text())["accepted"]
VISIBLE = st.characters(exclude_categories=("C", "Z", "M"), exclude_characters="\u2800\u115f\u1160\u3164\uffa0\ufffc")
UNITS = st.one_of(VISIBLE, st.builds("{}{}".format, VISIBLE, st.sampled_from("\u200c\u200d\ufe0f\u0301")), st.just(" "))

schemathesis.openapi.format("name", st.sampled_from(NAMES) | st.lists(UNITS, min_size=1, max_size=20).map("".join))
schemathesis.openapi.format("time-zone", st.sampled_from(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives each valid request a new key, because a key that was used before is refused."""
    headers = case.headers or {}
    if "Idempotency-Key" in headers and case.meta and case.meta.generation.mode == GenerationMode.POSITIVE:
        headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.query and case.meta and case.meta.generation.mode == GenerationMode.POSITIVE:
        for name in superfluous(case.path, case.query):
            del case.query[name]


def superfluous(path, query):
    """The parameters that no schema can rule out of a right request for a list of orders: q stands alone, current takes no
    period, and a period begins before it ends."""
    if path not in ("/api/orders/snapshot", "/api/orders/counts"):
        return []
    if "q" in query:
        return [name for name in query if name not in ("q", "limit")]
    if query.get("state") == "current" or str(query.get("from", "")) > str(query.get("to", "9")):
        return [name for name in query if name in ("from", "to")]
    return []
