package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.FrameHeader;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.v1.transfer.OfferRequest;
import dev.kvasir.v1.transfer.OfferResult;
import dev.kvasir.v1.transfer.PullRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Stands in for the data plane: gRPC between members, and the service that sends blocks. Calls lose nothing while both ends
 * live and the way between them is open: what is cut or slow comes later, or the call's deadline ends it. What comes is what the
 * real client, transfer and memory make of it, and a block's bytes may take their time to land while others go on.
 */
final class Wires {
    private static final int TRANSFERS_MAX = 3;
    private static final int DAMAGED_ONE_IN = 100;
    private static final int SLOW_ONE_IN = 4;
    private static final long SLOW_MAX = 60 * Timeline.MILLI;

    private final World world;
    private final RandomGenerator random;
    private final Set<Call<?, ?>> open = new LinkedHashSet<>();

    Wires(World world, RandomGenerator random) {
        this.world = world;
        this.random = random;
    }

    /** The real client, of one member. */
    TransferClient client(Life self) {
        return new TransferClient(address -> new Channel(self, address), TRANSFERS_MAX, new Deadline.Ticker() {
            @Override
            public long nanoTime() {
                return self.nanos();
            }
        });
    }

    /** Calls that have not ended, of processes that live. */
    long underWay() {
        return open.stream().filter(call -> !call.self.isDead()).count();
    }

    /** A process has ended: its peers' connections break. */
    void ended(Life life) {
        for (var call : List.copyOf(open)) {
            if (call.self == life) {
                open.remove(call);
            } else if (call.peer == life) {
                call.closeSoon(Status.UNAVAILABLE);
            }
        }
    }

    private final class Channel extends ManagedChannel {
        private final Life self;
        private final String address;
        private boolean shutdown;

        Channel(Life self, String address) {
            this.self = self;
            this.address = address;
        }

        @Override
        public <Q, A> ClientCall<Q, A> newCall(MethodDescriptor<Q, A> method, CallOptions options) {
            return new Call<>(self, address, method, options);
        }

        @Override
        public String authority() {
            return address;
        }

        @Override
        public ManagedChannel shutdown() {
            shutdown = true;
            return this;
        }

        @Override
        public ManagedChannel shutdownNow() {
            return shutdown();
        }

        @Override
        public boolean isShutdown() {
            return shutdown;
        }

        @Override
        public boolean isTerminated() {
            return shutdown;
        }

        @Override
        public boolean awaitTermination(long timeout, TimeUnit unit) {
            return true;
        }
    }

    /** A pull or an offer, as gRPC would carry it. */
    private final class Call<Q, A> extends ClientCall<Q, A> {
        private final Life self;
        private final String address;
        private final MethodDescriptor<Q, A> method;
        private final CallOptions options;
        private ClientCall.@Nullable Listener<A> listener;
        private @Nullable Life peer;
        private final Deque<Runnable> later = new ArrayDeque<>();
        private boolean landing;
        private boolean closed;
        private @Nullable Status closing;

        Call(Life self, String address, MethodDescriptor<Q, A> method, CallOptions options) {
            this.self = self;
            this.address = address;
            this.method = method;
            this.options = options;
        }

        @Override
        public void start(Listener<A> responses, Metadata headers) {
            listener = responses;
            open.add(this);
            var deadline = options.getDeadline();
            if (deadline != null) {
                self.after(deadline.timeRemaining(TimeUnit.NANOSECONDS), () -> close(Status.DEADLINE_EXCEEDED));
            }
        }

        @Override
        public void request(int numMessages) {}

        @Override
        public void sendMessage(Q message) {
            var target = world.cluster().current(address);
            if (target == null || !(target.program() instanceof TransferHost host)) {
                closeSoon(Status.UNAVAILABLE);
                return;
            }
            peer = target;
            switch (message) {
                case PullRequest request ->
                    world.network().stream(
                            self,
                            target,
                            "Pull of " + request.getHashesCount() / 2 + " blocks",
                            () -> serve(target, host, request));
                case OfferRequest offer ->
                    world.network().stream(
                            self,
                            target,
                            "Offer of " + offer.getHashesCount() / 2 + " blocks",
                            () -> host.offered(offer, answer(target)));
                default -> throw new IllegalStateException("nobody serves " + message);
            }
        }

        private TransferHost.OfferAnswer answer(Life there) {
            return new TransferHost.OfferAnswer() {
                @Override
                public void held(int count) {
                    var result = OfferResult.newBuilder().setHeld(count).build().toByteArray();
                    world.network().stream(
                            there,
                            self,
                            count + " blocks are held",
                            () -> inOrder(() -> {
                                land(result);
                                close(Status.OK);
                            }));
                }

                @Override
                public void refused(Status why) {
                    answer(there, why);
                }
            };
        }

        @Override
        public void halfClose() {}

        @Override
        public void cancel(@Nullable String message, @Nullable Throwable cause) {
            closeSoon(Status.CANCELLED);
        }

        /** On the other side: what the transfer service does. */
        private void serve(Life there, TransferHost host, PullRequest request) {
            if (request.getIncarnation() != there.incarnation()) {
                answer(there, Status.FAILED_PRECONDITION.withDescription("another life is meant"));
                return;
            }
            var hashes = hashes(request.getHashesList());
            host.bring(hashes, () -> send(there, host, hashes, 0, request.getSparse()));
        }

        private void send(Life there, TransferHost host, List<BlockHash> hashes, int next, boolean sparse) {
            var tier = host.tier();
            byte[] frame = null;
            int at = next;
            while (frame == null && tier != null && at < hashes.size()) {
                try (var pin = tier.pin(hashes.get(at++))) {
                    if (pin != null && pin.verify()) {
                        frame = frame(tier.format(), there.incarnation(), pin);
                    } else if (!sparse) {
                        at = hashes.size();
                    }
                }
            }
            if (frame == null) {
                answer(there, Status.OK);
                return;
            }
            var bytes = damaged(frame);
            int rest = at;
            world.network().stream(there, self, "a block", () -> inOrder(() -> land(bytes)));
            there.after(random.nextLong(Timeline.MILLI, 8 * Timeline.MILLI), () -> {
                if (!closed) {
                    send(there, host, hashes, rest, sparse);
                }
            });
        }

        private void answer(Life there, Status status) {
            world.network().stream(
                    there, self, "end of blocks: " + status.getCode(), () -> inOrder(() -> close(status)));
        }

        /** Callbacks of a call come one at a time. */
        private void inOrder(Runnable next) {
            if (landing) {
                later.add(next);
                return;
            }
            next.run();
            while (!landing && !later.isEmpty()) {
                later.remove().run();
            }
        }

        /** On this side: the bytes have come, and land where the transfer wants them. */
        private void land(byte[] frame) {
            if (closed || closing != null || listener == null) {
                return;
            }
            landing = true;
            Status bad = null;
            A message = null;
            try {
                boolean slow = random.nextInt(SLOW_ONE_IN) == 0;
                message = method.parseResponse(
                        new SlowBytes(frame, slow ? () -> world.meanwhile(self, random.nextLong(SLOW_MAX)) : () -> {}));
            } catch (Violation e) {
                throw e;
            } catch (RuntimeException e) {
                bad = Status.CANCELLED
                        .withDescription("a block could not be read")
                        .withCause(e);
            } finally {
                landing = false;
            }
            var ended = closing;
            if (bad != null) {
                close(bad);
            } else if (ended != null) {
                close(ended);
            } else if (message != null) {
                listener.onMessage(message);
            }
        }

        private void closeSoon(Status status) {
            self.after(random.nextLong(Timeline.MILLI), () -> close(status));
        }

        /** The last callback waits until the one before is done; what has come meanwhile is dropped. */
        private void close(Status status) {
            if (landing) {
                closing = status;
            } else if (!closed && listener != null) {
                closed = true;
                open.remove(this);
                listener.onClose(status, new Metadata());
            }
        }
    }

    /** As they are written in messages. */
    static List<BlockHash> hashes(List<Long> halves) {
        var hashes = new ArrayList<BlockHash>();
        for (int i = 0; i < halves.size(); i += 2) {
            hashes.add(new BlockHash(halves.get(i), halves.get(i + 1)));
        }
        return hashes;
    }

    private static byte[] frame(BlockFormat format, long incarnation, MemoryTier.Pin pin) {
        var frame = new ByteArrayOutputStream();
        var header = FrameHeader.of(format, incarnation, pin.block()).bytes();
        while (header.hasRemaining()) {
            frame.write(header.get());
        }
        frame.writeBytes(pin.bytes().toArray(ValueLayout.JAVA_BYTE));
        return frame.toByteArray();
    }

    /** Now and then a bit is flipped on the way. */
    private byte[] damaged(byte[] frame) {
        if (random.nextInt(DAMAGED_ONE_IN) == 0) {
            frame[random.nextInt(frame.length)] ^= (byte) (1 << random.nextInt(8));
        }
        return frame;
    }
}
