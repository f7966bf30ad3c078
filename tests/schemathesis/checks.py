"""A request that fits its schema may still be refused with 422, but only for what a schema cannot say."""

import re

import schemathesis

# Codes about things as they are now.
PRESENT = {
    "amount_too_large", "currency_mismatch", "cursor_invalid", "idempotency_key_reused", "overpayment", "product_archived", "product_not_sold_here",
}

# Rules between two fields, between a field and its currency, and bytes, which JSON Schema does not count.
RULES = re.compile(
    r"does not exist$"
    r"|(is no|must be a) currency of ISO 4217$"
    r"|has (no|more than the \d+) decimals"
    r"|is needed (beside|to compare prices)"
    r"|^a product in another currency has another price"
    r"|names \w+ \d+ twice"
    r"|must be the same for all"
    r"|must be another warehouse"
    r"|is not in this order"
    r"|product \d+ must be at most \d+ in all"
    r"|must be at most \d+ bytes"
    r"|must be from 0 to \d+ minor units"
    r"|must change this product's stock by"
    r"|units are on the road"
    r"|differs from the payment with this reference"
    r"|is too large$"
    # JSON Schema calls 1.0 an integer. An id or a count is written without a fraction.
    r"|must be a whole number.*, not -?\d+(\.\d+)?(e[+-]?\d+)?$"
    # 1e2 is a number to JSON Schema. An amount is written as a plain decimal.
    r"|is no plain decimal"
    r"|must be a moment"
    r"|cannot stand beside after"
    # A person keeps something to be known by; a role changes alone; there are only so many keys.
    r"|whoever has a password needs"
    r"|is not the password of this account"
    # What another method changes may be sent back, as it is.
    r"|is not what it is now"
    r"|a name, an e-mail address or a username"
    r"|must be changed in a request of its own"
    # A position is of one server.
    r"|of this server's journal"
)


@schemathesis.check
def refused_for_what_a_schema_cannot_say(ctx, response, case):
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for error in response.json().get("errors", []):
        # Adjustments take their reason from their row, or from the body.
        if case.operation.path == "/v1/stock/adjustments" and re.search("(^|/)reason$", error.get("pointer", "")):
            continue
        if error["code"] not in PRESENT and not RULES.search(error["detail"]):
            raise AssertionError(f"refused, but its schema allows it: {error}")
