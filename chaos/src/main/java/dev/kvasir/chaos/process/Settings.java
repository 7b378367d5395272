package dev.kvasir.chaos.process;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What members are started with.
 *
 * @param heapMegabytes of each process
 * @param warmUpMillis before a worker serves
 * @param processors that each member takes the machine to have; 0 for those it has
 * @param more settings, each with its full name, that come before the usual ones
 */
public record Settings(int heapMegabytes, long warmUpMillis, int processors, String more) {
    /** Workers warm up as those of users do: one that comes back cold would be given requests, and be slow with them. */
    static final Settings USUAL = new Settings(512, 20_000, 0, "");

    private static final long SOME_WARM_UP_MILLIS = 2000;

    /** The usual ones, with less time to warm up, but for those named in {@code more}. */
    public static Settings usual(String more) {
        return new Settings(USUAL.heapMegabytes, SOME_WARM_UP_MILLIS, USUAL.processors, more);
    }

    /** The same where each member has a part of the machine's processors to itself, so that two compute twice as much as one. */
    public Settings onProcessorsOfItsOwn(int members) {
        int each = Math.max(1, Runtime.getRuntime().availableProcessors() / members);
        return new Settings(heapMegabytes, warmUpMillis, each, more);
    }

    Settings withoutWarmUp() {
        return new Settings(heapMegabytes, 0, processors, more);
    }

    /**
     * Where a member is.
     *
     * @param port that others reach it at
     * @param listen address that it listens on
     * @param listenPort port that it listens on
     * @param source address that its connections come from
     * @param blocksPort of its KV transfer service, for others and itself; 0 for any
     */
    record Place(Path data, int port, String listen, int listenPort, String source, int blocksPort) {}

    /** A configuration file. Small tiers, so that blocks reach the disk; everything is shared. */
    String text(Place place, List<String> join) {
        return """
                kvasir {
                  data-dir = "%s"
                  warm-up-timeout = %d ms
                  cluster {
                    host = "127.0.0.1", port = %d, bind-host = "%s", bind-port = %d, join = [%s], join-timeout = 2 minutes
                    # Several processes on a busy machine: a second is too easily missed.
                    lease = 2 s
                  }
                  worker {
                    deterministic = true, num-kv-blocks = 1024, max-num-seqs = 16
                    sharing { memory = 16 MiB, offer = all, transfer-port = %d }
                  }
                  kvstore { memory = 8 MiB, disk = 64 MiB, disk-retry = 5 s, transfer-port = %d }
                  router { http-port = 0, grpc-port = 0 }
                }
                pekko {
                  remote.artery.advanced.tcp.outbound-client-hostname = "%s"
                  cluster {
                    # Members are started side by side, and again at their old addresses.
                    seed-node-timeout = 1 s
                    retry-unsuccessful-join-after = 2 s
                    # Likewise: a machine that does not get round to heartbeats is no reason for all members to go.
                    failure-detector.acceptable-heartbeat-pause = 8 s
                    split-brain-resolver.down-all-when-unstable = 60 s
                  }
                }
                %s
                """.formatted(
                        place.data,
                        warmUpMillis,
                        place.port,
                        place.listen,
                        place.listenPort,
                        join.stream().map(one -> '"' + one + '"').collect(Collectors.joining(", ")),
                        place.blocksPort,
                        place.blocksPort,
                        place.source,
                        more);
    }
}
