package dev.kvasir.chaos.process;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Stands before a port of a member: its own address stays when the port changes, its connections can be reset, and what
 * passes is held up as {@link Links} say. What is held up is not lost, as with TCP through a network that loses packets.
 */
final class Relay implements AutoCloseable {
    private static final int CONNECT_TIMEOUT_MILLIS = 2000;
    private static final int BACKLOG = 128;
    private static final int CHUNK = 16 << 10;
    private static final int CHUNKS_WAITING_MAX = 256;
    private static final byte[] END = {};

    /** What happens to the bytes that the member sends. */
    interface Traffic {
        /** Bytes on their way from a member; may change them. Throws where the connection breaks. */
        void pass(String from, byte[] bytes) throws IOException;

        /** How much later they come. */
        long delayNanos();
    }

    private static final Traffic UNHARMED = new Traffic() {
        @Override
        public void pass(String from, byte[] bytes) {}

        @Override
        public long delayNanos() {
            return 0;
        }
    };

    private final String member;
    private final Links links;
    private final Function<InetAddress, String> who;
    private final Traffic traffic;
    private final ServerSocket server;
    private final Set<Connection> open = ConcurrentHashMap.newKeySet();
    private volatile @Nullable InetSocketAddress target;

    /** Before a port of the cluster, or for clients. */
    Relay(String member, Links links) throws IOException {
        this(member, links, links::who, UNHARMED);
    }

    /** Before the port where others pull blocks. */
    static Relay ofBlocks(String member, Links links, Traffic traffic) throws IOException {
        return new Relay(member, links, _ -> Links.PULLERS, traffic);
    }

    private Relay(String member, Links links, Function<InetAddress, String> who, Traffic traffic) throws IOException {
        this.member = member;
        this.links = links;
        this.who = who;
        this.traffic = traffic;
        server = new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().name("relay").start(this::accept);
    }

    int port() {
        return server.getLocalPort();
    }

    String address() {
        return "127.0.0.1:" + port();
    }

    void leadTo(InetAddress host, int port) {
        target = new InetSocketAddress(host, port);
    }

    /** Resets the connections of some; answers with how many there were. */
    int reset(Predicate<String> from) {
        int count = 0;
        for (var connection : open) {
            if (from.test(connection.from)) {
                count++;
                connection.reset();
            }
        }
        return count;
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                var client = server.accept();
                var connection = new Connection(client, who.apply(client.getInetAddress()));
                Thread.ofVirtual().start(connection::run);
            } catch (IOException _) {
                // The relay was closed, or a client went away at once.
            }
        }
    }

    /** Bytes on their way. */
    private static final class Chunk {
        private final byte[] bytes;
        private final long dueNanos;

        Chunk(byte[] bytes, long dueNanos) {
            this.bytes = bytes;
            this.dueNanos = dueNanos;
        }
    }

    private final class Connection {
        private final Socket client;
        private final Socket door = new Socket();
        private final String from;

        Connection(Socket client, String from) {
            this.client = client;
            this.from = from;
        }

        void run() {
            open.add(this);
            try {
                links.await(from, member, client::isClosed);
                var to = target;
                if (to == null) {
                    throw new IOException("nowhere to lead to");
                }
                door.connect(to, CONNECT_TIMEOUT_MILLIS);
                client.setTcpNoDelay(true);
                door.setTcpNoDelay(true);
                Thread.ofVirtual().start(() -> copy(client, door, from, member));
                copy(door, client, member, from);
            } catch (IOException _) {
                reset();
            } catch (InterruptedException _) {
                reset();
                Thread.currentThread().interrupt();
            }
        }

        private Chunk on(byte[] bytes, Traffic passing) throws IOException {
            passing.pass(member, bytes);
            return new Chunk(bytes, System.nanoTime() + links.delayNanos() + passing.delayNanos());
        }

        private void copy(Socket source, Socket sink, String sender, String receiver) {
            var passing = source.equals(door) ? traffic : UNHARMED;
            var chunks = new ArrayBlockingQueue<Chunk>(CHUNKS_WAITING_MAX);
            var writer = Thread.ofVirtual().start(() -> write(chunks, sink, sender, receiver));
            var buffer = new byte[CHUNK];
            try {
                var in = source.getInputStream();
                for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                    chunks.put(on(Arrays.copyOf(buffer, count), passing));
                }
                chunks.put(on(END, passing));
            } catch (IOException _) {
                reset();
                writer.interrupt();
            } catch (InterruptedException _) {
                reset();
                Thread.currentThread().interrupt();
            }
        }

        private void write(ArrayBlockingQueue<Chunk> chunks, Socket sink, String sender, String receiver) {
            try {
                var out = sink.getOutputStream();
                for (var chunk = chunks.take(); chunk.bytes.length > 0; chunk = chunks.take()) {
                    LockSupport.parkNanos(chunk.dueNanos - System.nanoTime());
                    links.await(sender, receiver, sink::isClosed);
                    out.write(chunk.bytes);
                    out.flush();
                }
                sink.shutdownOutput();
            } catch (IOException _) {
                reset();
            } catch (InterruptedException _) {
                // The reader has seen the end of the connection.
            } finally {
                if (client.isOutputShutdown() && door.isOutputShutdown()) {
                    reset();
                }
            }
        }

        void reset() {
            open.remove(this);
            abort(client);
            abort(door);
        }
    }

    private static void abort(Socket socket) {
        try {
            if (!socket.isClosed()) {
                socket.setSoLinger(true, 0);
            }
            socket.close();
        } catch (IOException _) {
            // It is closed, which is all that is wanted.
        }
    }

    /** A port that nobody has just now. */
    static int freePort() throws IOException {
        try (var probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        reset(_ -> true);
    }
}
