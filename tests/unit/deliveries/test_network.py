"""Where requests may go: public addresses and URLs without tricks."""

import re
from contextlib import suppress
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliveries.domain.reasons import RejectionReason
from services.deliveries.network.addresses import is_allowed
from services.deliveries.network.urls import NetworkRules, UrlFault, checked_url

NOT_PUBLIC = (
    "0.0.0.0", "10.0.0.1", "100.64.1.1", "127.0.0.1", "127.8.8.8", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "100.100.100.200", "168.63.129.16", "::", "::1", "::10.0.0.1", "::ffff:10.0.0.1",
    "::ffff:127.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:a00:1::",
    "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1",
)  # fmt: skip
PUBLIC = (
    "8.8.8.8", "1.1.1.1", "93.184.216.34", "2001:4860:4860::8888", "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_address_that_is_not_public_is_not_allowed(address):
    assert not is_allowed(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_address_that_is_public_is_allowed(address):
    assert is_allowed(address, ())


def test_address_of_a_network_in_the_settings_is_allowed():
    networks = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))

    assert is_allowed("10.1.2.3", networks)
    assert is_allowed("fd00::1", networks)
    assert not is_allowed("10.2.0.1", networks)


@given(st.integers(0, 2**32 - 1))
def test_address_of_ipv4_is_judged_alike_in_each_form_of_ipv6(number):
    text = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
    low = f"{number >> 16:x}:{number & 0xFFFF:x}"

    allowed = is_allowed(text, ())

    assert is_allowed(f"::ffff:{text}", ()) is allowed
    assert is_allowed(f"64:ff9b::{low}", ()) is allowed


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.shop.example/orderflow",
        "https://hooks.shop.example",
        "https://hooks.shop.example:8443/a?b=c&d=%20",
        "https://8.8.8.8/hook",
        "https://[2001:4860:4860::8888]/hook",
        "https://xn--bcher-kva.example/",
        "https://bücher.example/",
        "https://shop.example/über?straße=ß",
        "https://HOOKS.Shop.Example/Path",
        "HTTPS://hooks.shop.example/",
        "https://hooks.shop.example./",
        "https://hooks.shop.example:443/",
        "https://my_shop.platform.example/",
        "https://4711.shop.example/",
        "https://hooks.shop.example/?source=orderflow",
        "https://hooks.shop.example/tokens/secret/password/key",
        "https://hooks.shop.example/reset-token?ref=a%2Fb&monkey=1&keyboard=2&tokens=3&signed=4",
        "https://hooks.shop.example/" + "a" * 2_000,
        # As Slack, Teams, Discord, Zapier, Make, n8n and Pipedream write them.
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "https://shop.webhook.office.com/webhookb2/a-b@c-d/IncomingWebhook/0123456789abcdef/e-f",
        "https://discord.com/api/webhooks/123456789012345678/abcDEF_-0123456789",
        "https://hooks.zapier.com/hooks/catch/1234567/abcdefg/",
        "https://hook.eu1.make.com/abcdefghijklmnopqrstuvwxyz012345",
        "https://shop.app.n8n.cloud/webhook/7a9cf261-905e-5bfc-8f4d-86cdaa23a823",
        "https://eo0123456789abc.m.pipedream.net",
    ],
)
def test_url_that_can_be_used(url):
    assert str(checked_url(url, NetworkRules()))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.shop.example/", RejectionReason.URL_NOT_ALLOWED),
        ("ftp://hooks.shop.example/", RejectionReason.URL_NOT_ALLOWED),
        ("file:///etc/passwd", RejectionReason.URL_NOT_ALLOWED),
        ("hooks.shop.example/orderflow", RejectionReason.URL_NOT_ALLOWED),
        ("https:///orderflow", RejectionReason.URL_NOT_ALLOWED),
        ("https://", RejectionReason.URL_NOT_ALLOWED),
        ("", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example:22/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example:99999/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example/#part", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example\\@10.0.0.1/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example/a b", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example/\r\nHost: x", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example/\t", RejectionReason.URL_NOT_ALLOWED),
        ("\nhttps://hooks.shop.example/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example/\x7f", RejectionReason.URL_NOT_ALLOWED),
        ("https:\\\\hooks.shop.example/", RejectionReason.URL_NOT_ALLOWED),
        ("https:hooks.shop.example", RejectionReason.URL_NOT_ALLOWED),
        ("https:/hooks.shop.example/", RejectionReason.URL_NOT_ALLOWED),
        ("//hooks.shop.example/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example/\xa0", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example/\u202e", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example:0/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.shop.example:443:443/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks..example/", RejectionReason.URL_NOT_ALLOWED),
        ("https://.example/", RejectionReason.URL_NOT_ALLOWED),
        ("https://./", RejectionReason.URL_NOT_ALLOWED),
        ("https://-hooks.example/", RejectionReason.URL_NOT_ALLOWED),
        ("https://*.example/", RejectionReason.URL_NOT_ALLOWED),
        ("https://hooks.example%00.shop.example/", RejectionReason.URL_NOT_ALLOWED),
        (f"https://{'a' * 64}.example/", RejectionReason.URL_NOT_ALLOWED),
        (f"https://{'a.' * 130}example/", RejectionReason.URL_NOT_ALLOWED),
        ("https://[::1/", RejectionReason.URL_NOT_ALLOWED),
        ("https://::1/", RejectionReason.URL_NOT_ALLOWED),
        ("https://127.0.0.1./", RejectionReason.URL_NOT_ALLOWED),
        ("https://127.0.0.1%2e/", RejectionReason.URL_NOT_ALLOWED),
        ("https://%31%32%37.0.0.1/", RejectionReason.URL_NOT_ALLOWED),
        ("https://0177.0.0.1/", RejectionReason.URL_NOT_ALLOWED),
        ("https://017700000001/", RejectionReason.URL_NOT_ALLOWED),
        ("https://0x7f.0.0.0x1/", RejectionReason.URL_NOT_ALLOWED),
        ("https://1.0x7f/", RejectionReason.URL_NOT_ALLOWED),
        ("https://2130706433./", RejectionReason.URL_NOT_ALLOWED),
        ("https://0/", RejectionReason.URL_NOT_ALLOWED),
        ("https://2130706433/", RejectionReason.URL_NOT_ALLOWED),
        ("https://127.1/", RejectionReason.URL_NOT_ALLOWED),
        ("https://0x7f000001/", RejectionReason.URL_NOT_ALLOWED),
        ("https://user:word@hooks.shop.example/", RejectionReason.URL_HAS_SECRET),
        ("https://user@hooks.shop.example/", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example@10.0.0.1/", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example:443@10.0.0.1/", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example%2f@10.0.0.1/", RejectionReason.URL_HAS_SECRET),
        ("https://a@b@hooks.shop.example/", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example?token=abc", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example/?%74oken=abc", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example/?access-token=abc", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example/?hook[clientSecret]=abc", RejectionReason.URL_HAS_SECRET),
        ("https://a.logic.azure.com/workflows/1?sp=a&sig=abc", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example/?token=abc", RejectionReason.URL_HAS_SECRET),
        ("https://hooks.shop.example/?a=1&API_KEY=abc", RejectionReason.URL_HAS_SECRET),
        ("https://10.0.0.1/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://①②⑦.0.0.1/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://127。0。0。1/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://169.254.169.254/latest/meta-data", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://[::1]/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://[::ffff:10.0.0.1]/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://[::ffff:127.0.0.1]/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://[0:0:0:0:0:ffff:7f00:1]/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://[fe80::1%25eth0]/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://[fe80::1%eth0]/", RejectionReason.ADDRESS_NOT_ALLOWED),
        ("https://[2001:4860:4860::8888%25eth0]/", RejectionReason.ADDRESS_NOT_ALLOWED),
    ],
    ids=repr,
)
def test_url_that_cannot_be_used_is_refused_with(url, reason):
    with pytest.raises(UrlFault) as found:
        checked_url(url, NetworkRules())

    assert found.value.reason is reason


def test_url_beyond_ascii_is_requested_in_its_encoded_form():
    found = checked_url("https://bücher.example/ü?ä=ß", NetworkRules())

    assert found.raw_host == "xn--bcher-kva.example"
    assert found.raw_path_qs == "/%C3%BC?%C3%A4=%C3%9F"


@given(
    st.text(max_size=30), st.sampled_from(["https://{}/", "https://{}.example/", "https://a/{}"])
)
def test_host_of_a_url_that_can_be_used_is_a_name_or_a_public_address(text, form):
    with suppress(UrlFault):
        host = checked_url(form.format(text), NetworkRules()).raw_host
        assert re.fullmatch(r"[a-z0-9_.-]+|[0-9a-f:.]+", host)
        with suppress(ValueError):
            assert is_allowed(str(ip_address(host)), ())


@given(st.text(max_size=80))
def test_any_text_as_url_is_read_or_refused(text):
    with suppress(UrlFault):
        checked_url(f"https://{text}", NetworkRules())
