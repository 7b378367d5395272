package dev.kvasir.router.http;

import dev.kvasir.protocol.Limits;
import dev.kvasir.router.Access;
import io.helidon.http.HttpException;
import io.helidon.http.RequestException;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.UncheckedIOException;
import java.util.Map;

/** Paths and methods, and what becomes of exceptions: each is answered with an OpenAI error object. */
final class Routes {
    private static final String GET = "GET";
    private static final String HEAD = "HEAD";
    private static final String POST = "POST";

    private final GenerationRoutes generation;
    private final TextRoutes text;
    private final StatusRoutes status;
    private final Access access;
    private final CrossOrigin crossOrigin;
    private final OpenExchanges open;
    private final int bodyBytesMax;

    Routes(
            GenerationRoutes generation,
            TextRoutes text,
            StatusRoutes status,
            Access access,
            OpenExchanges open,
            int bodyBytesMax) {
        this.generation = generation;
        this.text = text;
        this.status = status;
        this.access = access;
        this.crossOrigin = new CrossOrigin(access.allowedOrigins());
        this.open = open;
        this.bodyBytesMax = bodyBytesMax;
    }

    private interface Route {
        void handle(Exchange exchange) throws InterruptedException;
    }

    void register(HttpRouting.Builder routing) {
        path(routing, "/v1/completions", Map.of(POST, generation::complete));
        path(routing, "/v1/chat/completions", Map.of(POST, generation::chat));
        path(routing, "/v1/streams/{id}", Map.of(GET, generation::resume));
        path(routing, "/v1/models", reading(text::models));
        path(routing, "/v1/models/{+name}", reading(text::model));
        path(routing, "/tokenize", Map.of(POST, text::tokenize));
        path(routing, "/detokenize", Map.of(POST, text::detokenize));
        // What probes and Prometheus ask needs no key; all else does, paths that do not exist included.
        openPath(routing, "/health", reading(status::health));
        openPath(routing, "/ping", Map.of(GET, status::health, HEAD, status::health, POST, status::health));
        openPath(routing, "/version", reading(status::version));
        openPath(routing, "/load", reading(status::load));
        openPath(routing, "/metrics", reading(status::metrics));
        routing.any((request, response) -> handle(request, response, exchange -> {
            exchange.admit(access);
            throw HttpRefusal.of(
                    404,
                    "not_found",
                    "path %s does not exist"
                            .formatted(Limits.shorten(request.path().rawPath())));
        }));
    }

    /** What answers GET so answers HEAD, as some health checks ask; {@link Exchange} leaves the body out. */
    private static Map<String, Route> reading(Route route) {
        return Map.of(GET, route, HEAD, route);
    }

    /** Whoever may not come in learns nothing here, not even which methods there are. */
    private void path(HttpRouting.Builder routing, String path, Map<String, Route> byMethod) {
        var route = byMethod(byMethod);
        routing.any(
                path,
                (request, response) -> handle(request, response, exchange -> {
                    exchange.admit(access);
                    route.handle(exchange);
                }));
    }

    private void openPath(HttpRouting.Builder routing, String path, Map<String, Route> byMethod) {
        var route = byMethod(byMethod);
        routing.any(path, (request, response) -> handle(request, response, route));
    }

    private static Route byMethod(Map<String, Route> routes) {
        var allowed = String.join(", ", routes.keySet().stream().sorted().toList());
        return exchange -> {
            var route = routes.get(exchange.method());
            if (route == null) {
                exchange.response().header("Allow", allowed);
                throw HttpRefusal.of(
                        405,
                        "method_not_allowed",
                        "method %s is not allowed here but %s is"
                                .formatted(Limits.shorten(exchange.method()), allowed));
            }
            route.handle(exchange);
        };
    }

    private void handle(ServerRequest request, ServerResponse response, Route route) throws InterruptedException {
        var exchange = new Exchange(request, response, bodyBytesMax, System.nanoTime());
        var connection = ClientConnection.current();
        connection.headersRead();
        if (connection.isOld()) {
            response.header("Connection", "close");
        }
        open.enter();
        try {
            if (!crossOrigin.answers(request, response)) {
                route.handle(exchange);
            }
        } catch (RequestException | HttpException | CloseConnectionException | UncheckedIOException e) {
            throw e; // Of the connection rather than of the request: the server knows what to do.
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception e) {
            refuse(exchange, e);
        } finally {
            if (exchange.isLast()) {
                connection.closeAfterThis();
            }
            connection.requestEnded();
            open.leave();
        }
    }

    private static void refuse(Exchange exchange, Exception reason) {
        var refusal = HttpRefusal.of(reason);
        if (ClientConnection.current().gone()) {
            throw new CloseConnectionException("the client hung up", reason);
        }
        if (exchange.response().isSent()) {
            throw new CloseConnectionException("the answer broke off: " + refusal.getMessage(), reason);
        }
        exchange.send(refusal);
    }
}
