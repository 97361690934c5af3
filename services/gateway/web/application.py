"""The application: routes by path and method, and answers for requests that have none."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.generate import FOLDER
from services.gateway.names import UNKNOWN_SENDER
from services.gateway.refusal import Refused
from services.gateway.web import carriers, pages, shops
from services.gateway.web.answers import problem
from services.gateway.web.carriers import CarrierRoute
from services.gateway.web.pages import PageRoute
from services.gateway.web.requests import OTHER, Requests
from services.gateway.web.shops import ShopRoute

OPENAPI = "/openapi.json"


def make_app(
    shop: ShopRoute, carrier: CarrierRoute, page: PageRoute, requests: Requests
) -> Starlette:
    """The application of the gateway's port."""
    document = (FOLDER / "openapi.json").read_bytes()

    async def on_openapi(_: Request) -> Response:
        requests.count(OPENAPI, 200, 0.0)
        return Response(document, media_type="application/json")

    async def on_error(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        refused = _without_route(status)
        requests.note(OTHER, UNKNOWN_SENDER, refused)
        requests.count(OTHER, status, 0.0)
        response = problem(refused, is_open=False)
        if isinstance(error, HTTPException):
            response.headers.update(error.headers or {})
        return response

    async def on_shop(request: Request) -> Response:
        return await shop(request)

    async def on_carrier(request: Request) -> Response:
        return await carrier(request)

    async def on_page(request: Request) -> Response:
        return await page(request)

    app = Starlette(
        routes=[
            Route(shops.ROUTE, on_shop, methods=["POST"]),
            Route(pages.ROUTE, on_page, methods=["POST", "OPTIONS"]),
            Route(carriers.ROUTE, on_carrier, methods=["POST"]),
            Route(OPENAPI, on_openapi, methods=["GET"]),
        ],
        exception_handlers={HTTPException: on_error},
    )
    # A redirect would name the host that the client sent, and senders of webhooks follow none.
    app.router.redirect_slashes = False
    return app


def _without_route(status: int) -> Refused:
    if status == 404:
        return Refused(404, "not_found", f"nothing is here; {OPENAPI} says what there is")
    if status == 405:
        return Refused(405, "method_not_allowed", f"another method; {OPENAPI} says which")
    return Refused(status, "bad_request", "the request cannot be read")
