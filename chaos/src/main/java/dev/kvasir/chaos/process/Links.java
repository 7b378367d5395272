package dev.kvasir.chaos.process;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * What lies between processes: which of them hear each other just now, and how late. Both ways of a link are apart, so that
 * one may be cut alone. Thread-safe.
 */
final class Links {
    static final String CLIENTS = "clients";

    /** Members that pull blocks, which do not say who they are. */
    static final String PULLERS = "pullers";

    private static final long WAKE_MILLIS = 50;

    private record Link(String from, String to) {}

    private final Map<String, String> memberByAddress = new HashMap<>();
    private final Set<Link> cut = new HashSet<>();
    private long delayMillis;

    /** Connections from {@code address} are those of a member. */
    synchronized void register(String member, InetAddress address) {
        memberByAddress.put(address.getHostAddress(), member);
    }

    /** Whose connection it is that comes from an address. */
    synchronized String who(InetAddress address) {
        return memberByAddress.getOrDefault(address.getHostAddress(), CLIENTS);
    }

    /** Nothing gets from one member of {@code from} to one of {@code to} until {@link #heal}. */
    synchronized void cut(Set<String> from, Set<String> to) {
        from.forEach(a -> to.forEach(b -> cut.add(new Link(a, b))));
    }

    /** All that passes comes so much later. */
    synchronized void delay(long millis) {
        delayMillis = millis;
    }

    synchronized void heal() {
        cut.clear();
        delayMillis = 0;
        notifyAll();
    }

    synchronized long delayNanos() {
        return TimeUnit.MILLISECONDS.toNanos(delayMillis);
    }

    /** Something that may end while others wait. */
    interface Life {
        boolean isOver();
    }

    /** Waits while the way is cut, and its connection open. */
    synchronized void await(String from, String to, Life connection) throws InterruptedException {
        var link = new Link(from, to);
        while (cut.contains(link) && !connection.isOver()) {
            wait(WAKE_MILLIS);
        }
    }
}
