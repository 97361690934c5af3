"""A session that is not as the service needs it ends the start: no batch runs in it."""

import pytest

from services.runtime.config.environment import SettingsError
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import connect
from services.runtime.postgres.sessions import check_session


@pytest.fixture
async def session(database_url):
    settings = Settings(database_url=database_url)
    connection = await connect(settings, "orders")
    yield connection, settings
    await connection.close()


async def test_session_of_a_service_is_as_it_must_be(session):
    connection, settings = session

    await check_session(connection, settings, "orders")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("SET search_path = public", "search_path orders; search_path is public"),
        ("SET lock_timeout = 0", "lock_timeout"),
        ("SET timezone = 'Europe/Berlin'", "timezone UTC; timezone is Europe/Berlin"),
        ("SET plan_cache_mode = auto", "plan_cache_mode force_custom_plan"),
        ("RESET role; SET role = orderflow_claims", "role is orderflow_claims"),
    ],
)
async def test_session_that_differs_is_refused_with_what_differs(session, changed, said):
    connection, settings = session
    await connection.execute(changed)

    with pytest.raises(SettingsError, match="sessions of orders need") as refused:
        await check_session(connection, settings, "orders")

    assert said in str(refused.value)
    assert "ORDERS_DATABASE_POOLER_URL" in str(refused.value)
