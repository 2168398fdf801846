"""What services in one language have in common: SDK, instrumentation scopes, threads, and how exceptions look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vivace.telemetry.faults import Fault
from vivace.telemetry.topology import Language


@dataclass(frozen=True, slots=True)
class Sdk:
    """The OpenTelemetry SDK of one language."""

    version: str
    runtime: str
    runtime_version: str
    http_scope: str
    """Instrumentation library of HTTP servers and their clients."""
    rpc_scope: str
    scope_version: str
    agent: str
    """User agent of its HTTP client."""
    thread: str
    """Name of a thread; a number stands for {}."""
    exceptions: tuple[tuple[str, str], ...]
    """Type and message of an internal error, of an unavailable peer, of a timeout."""
    frame: str
    """A line of a stack trace: {service} and {line} are filled in."""

    def exception(self, fault: Fault) -> tuple[str, str]:
        """Type and message of what is thrown."""
        return self.exceptions[fault - Fault.INTERNAL]

    def stacktrace(self, fault: Fault, service: str) -> str:
        """A short stack trace."""
        kind, message = self.exception(fault)
        lines = [self.frame.format(service=service.replace("-", "_"), line=line) for line in (212, 87, 31)]
        return "\n".join([f"{kind}: {message}", *lines])


SDKS: Final = {
    Language.GO: Sdk(
        "1.38.0",
        "go",
        "1.25.3",
        "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc",
        "0.63.0",
        "Go-http-client/1.1",
        "",
        (
            ("*errors.errorString", "unexpected nil product in response"),
            ("*net.OpError", "dial tcp 10.42.7.19:9092: connect: connection refused"),
            ("context.deadlineExceededError", "context deadline exceeded"),
        ),
        "github.com/shop/{service}/internal/server.(*Server).handle\n\t/src/internal/server/server.go:{line} +0x1a4",
    ),
    Language.JAVA: Sdk(
        "1.55.0",
        "OpenJDK Runtime Environment",
        "21.0.8+9-LTS",
        "io.opentelemetry.tomcat-10.0",
        "io.opentelemetry.grpc-1.6",
        "2.20.1-alpha",
        "okhttp/4.12.0",
        "grpc-default-executor-{}",
        (
            ("java.lang.IllegalStateException", "Order is in state CANCELLED, expected PAID"),
            ("java.net.ConnectException", "Connection refused: inventory/10.42.3.77:9098"),
            ("java.util.concurrent.TimeoutException", "Did not observe any item within 1000ms"),
        ),
        "\tat com.shop.{service}.RequestHandler.handle(RequestHandler.java:{line})",
    ),
    Language.NODEJS: Sdk(
        "2.1.0",
        "nodejs",
        "22.20.0",
        "@opentelemetry/instrumentation-http",
        "@opentelemetry/instrumentation-grpc",
        "0.206.0",
        "node",
        "",
        (
            ("TypeError", "Cannot read properties of undefined (reading 'price')"),
            ("Error", "connect ECONNREFUSED 10.42.1.6:9096"),
            ("TimeoutError", "The operation was aborted due to timeout"),
        ),
        "    at Object.handle (/app/node_modules/@shop/{service}/dist/handler.js:{line}:19)",
    ),
    Language.PYTHON: Sdk(
        "1.38.0",
        "cpython",
        "3.13.9",
        "opentelemetry.instrumentation.fastapi",
        "opentelemetry.instrumentation.grpc",
        "0.59b0",
        "python-httpx/0.28.1",
        "ThreadPoolExecutor-0_{}",
        (
            ("ValueError", "operands could not be broadcast together with shapes (24,128) (23,128)"),
            ("ConnectionError", "Error 111 connecting to feature-store:6379. Connection refused."),
            ("TimeoutError", "Timeout reading from socket"),
        ),
        '  File "/app/{service}/server.py", line {line}, in handle',
    ),
    Language.DOTNET: Sdk(
        "1.13.1",
        ".NET",
        "9.0.10",
        "OpenTelemetry.Instrumentation.AspNetCore",
        "OpenTelemetry.Instrumentation.GrpcNetClient",
        "1.13.0-beta.1",
        "Microsoft.NET/9.0",
        ".NET TP Worker {}",
        (
            ("System.InvalidOperationException", "Sequence contains no elements"),
            ("System.Net.Http.HttpRequestException", "Connection refused (pricing-cache:6379)"),
            ("System.TimeoutException", "Timeout performing HGETALL (1000ms), inst: 0, qu: 0, qs: 4"),
        ),
        "   at Shop.{service}.Handlers.Handle(Request request) in /src/Handlers.cs:line {line}",
    ),
    Language.RUST: Sdk(
        "0.31.0",
        "rustc",
        "1.90.0",
        "opentelemetry-instrumentation-tower",
        "opentelemetry-tonic",
        "0.17.0",
        "hyper/1.7.0",
        "tokio-runtime-worker-{}",
        (
            ("shipping::Error::Decode", "missing field `zone` at line 1 column 118"),
            ("reqwest::Error", "error sending request: tcp connect error: Connection refused (os error 111)"),
            ("tokio::time::error::Elapsed", "deadline has elapsed"),
        ),
        "  {line}: {service}::handler::handle at ./src/handler.rs:{line}",
    ),
    Language.RUBY: Sdk(
        "1.10.0",
        "ruby",
        "3.4.7",
        "OpenTelemetry::Instrumentation::Rack",
        "OpenTelemetry::Instrumentation::Grpc",
        "0.28.0",
        "Faraday v2.13.4",
        "puma srv tp {}",
        (
            ("NoMethodError", "undefined method 'rating' for nil"),
            ("Errno::ECONNREFUSED", "Connection refused - connect(2) for 10.42.5.31:3306"),
            ("Net::ReadTimeout", "Net::ReadTimeout with #<TCPSocket:(closed)>"),
        ),
        "/app/{service}/app/controllers/application_controller.rb:{line}:in 'handle'",
    ),
}
