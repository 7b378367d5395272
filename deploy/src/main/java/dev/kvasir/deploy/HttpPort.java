package dev.kvasir.deploy;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;

/** Says why a port cannot be had; the HTTP library only logs it. */
final class HttpPort {
    private HttpPort() {}

    /** @throws CommandException where the port cannot be listened on */
    static void requireFree(String host, int port) {
        try (var probe = new ServerSocket()) {
            probe.setReuseAddress(true);
            probe.bind(new InetSocketAddress(host, port));
        } catch (IOException | IllegalArgumentException e) {
            throw new CommandException("cannot listen for HTTP on %s:%d: %s".formatted(host, port, e.getMessage()), e);
        }
    }
}
