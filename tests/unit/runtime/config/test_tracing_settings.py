"""Settings of traces: what is allowed, and what a wrong value is answered with."""

import pytest

from services.runtime.config.settings import Settings, SettingsError

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


def test_tracing_settings_leave_traces_off() -> None:
    assert Settings().otel_exporter_otlp_endpoint is None


def test_tracing_settings_are_read_by_the_names_of_opentelemetry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENDPOINT, "https://collector:4318/")
    monkeypatch.setenv(HEADERS, "Authorization=Bearer%20abc, x-tenant=shops")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,team=a%2Cb")

    settings = Settings.from_environment()

    assert settings.otel_exporter_otlp_endpoint == "https://collector:4318"
    assert settings.collector_headers == {"Authorization": "Bearer abc", "x-tenant": "shops"}
    assert settings.resource_attributes == {"deployment.environment.name": "test", "team": "a,b"}
    assert "abc" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        (ENDPOINT, "collector:4318", "must be http://host:port"),
        (ENDPOINT, "ftp://collector", "must be http://host:port"),
        (ENDPOINT, "http://collector:port", "must be http://host:port"),
        (ENDPOINT, "https://user:hidden@collector", "a login goes into OTEL_EXPORTER_OTLP_HEADERS"),
        (ENDPOINT, "https://collector/?token=hidden", "with a path at most"),
        (ENDPOINT, "http://collector/v1/traces/", "must not end with /v1/traces: spans are posted"),
        (HEADERS, "hidden", "part 1 is not key=value"),
        (HEADERS, "a=1,=hidden", "part 2 is not key=value"),
        (HEADERS, "a b=hidden", "names of HTTP headers"),
        (HEADERS, "a=hidden%0d%0ax: y", "printable ASCII"),
        ("OTEL_RESOURCE_ATTRIBUTES", "production", "part 1 is not key=value"),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "at most 1"),
        ("OTEL_TRACES_SAMPLER", "always_on", "must be parentbased_traceidratio or traceidratio"),
    ],
)
def test_tracing_setting_that_is_wrong_is_answered_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, answer: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()

    text = str(caught.value)
    assert name in text
    assert answer in text
    assert "hidden" not in text
