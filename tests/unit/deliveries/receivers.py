"""What receivers check of a request: ports of checks that exist elsewhere."""

import hashlib
import hmac
import re
import time

TOLERANCE_SECONDS = 300


def plugin_accepts(headers, body, secret):
    """The check of Karla's plugin for Shopware 6.

    A port of `verifySignature` in src/Controller/Api/WebhookController.php of
    https://github.com/gokarla-io/shopware: the last value of each name in `Karla-Signature` counts,
    and a time more than five minutes away is refused.
    """
    pairs = [part.split("=", 1) for part in headers["Karla-Signature"].split(",")]
    parts = dict(pair for pair in pairs if len(pair) == 2)
    if not {"t", "v1"} <= parts.keys():
        return False
    # A cast to int in PHP: the digits that a text begins with.
    at = int(re.match(r"\s*([+-]?\d+)?", parts["t"])[1] or 0)
    if abs(int(time.time()) - at) > TOLERANCE_SECONDS:
        return False
    right = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), parts["v1"].encode())
