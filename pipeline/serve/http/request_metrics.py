"""Counts and times of requests and questions, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serve.served_library import ServedLibrary
from pipeline.serve.settings import API_PREFIX

__all__ = ["RequestMetrics", "ServerMetrics"]

_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.3, 0.6, 1.5, 5.0, 15.0, 60.0)


class ServerMetrics:
    """The metrics of one server.

    Args:
        served: The served library, whose desk is counted.
    """

    def __init__(self, served: ServedLibrary) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("momentseek_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "momentseek_request_seconds",
            "Time from a request to the start of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(_DeskCollector(served))

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Format all metrics in Prometheus's text format."""
        return generate_latest(self._registry)


class _DeskCollector(Collector):
    """Reads the numbers of the desks when metrics are asked for."""

    def __init__(self, served: ServedLibrary) -> None:
        self._served = served

    def collect(self) -> Iterator[Metric]:
        """Give out the numbers."""
        desk = self._served.desk
        yield CounterMetricFamily("momentseek_questions", "Questions answered.", value=desk.questions)
        yield CounterMetricFamily("momentseek_question_batches", "Batches of questions.", value=desk.batches)
        yield CounterMetricFamily(
            "momentseek_questions_dropped", "Questions that nobody waited for any more.", value=desk.dropped
        )
        yield GaugeMetricFamily("momentseek_questions_waiting", "Questions that wait now.", value=desk.waiting)
        yield GaugeMetricFamily(
            "momentseek_pictures_waiting", "Pictures that wait now.", value=self._served.pictures.waiting
        )
        yield GaugeMetricFamily("momentseek_ready", "Whether model and index are loaded.", value=self._served.is_ready)


class RequestMetrics:
    """Counts requests by the pattern of their route, never by their address, which may hold what people ask.

    Args:
        app: What answers the requests.
        metrics: The metrics.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it when its answer starts (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.note(_method(scope), _route(scope), message["status"], time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, send_and_count)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH") else "other"


def _route(scope: Scope) -> str:
    """Return the pattern of the route that answers a request; "other" if none does."""
    pattern: str = getattr(scope.get("route"), "path", "other")
    is_short = pattern != "other" and scope["path"].startswith(API_PREFIX) and not pattern.startswith(API_PREFIX)
    return API_PREFIX + pattern if is_short else pattern
