package dev.kvasir.chaos.process;

import java.util.Set;

/** Something that goes wrong. Members are meant by name. */
sealed interface Fault {
    /** kill -9, and a new life after a while, or none; in the middle of what it does. */
    record Kill(String member, Moment moment, long downMillis) implements Fault {
        /** It does not come back. */
        static final long FOR_GOOD = -1;
    }

    /** SIGSTOP, and SIGCONT after a while. */
    record Stop(String member, long millis) implements Fault {}

    /** SIGTERM, and a new life; of several at a time. */
    record Restart(Set<String> members) implements Fault {
        public Restart {
            members = Set.copyOf(members);
        }
    }

    /** All members, one after the other, by SIGTERM. */
    record Rolling() implements Fault {}

    /** Some members and all others hear nothing of each other for a while; where {@code deaf}, only the some hear nothing. */
    record Partition(Set<String> side, boolean deaf, long millis) implements Fault {
        public Partition {
            side = Set.copyOf(side);
        }
    }

    /** All messages between processes come late for a while. */
    record Delay(long delayMillis, long millis) implements Fault {}

    /** All connections of clients are reset, or all between members. */
    record Reset(boolean ofClients) implements Fault {}

    /** Files of a kvstore's disk tier. */
    record Disk(String member, Damage damage) implements Fault {}

    /** There is no room for a kvstore's files for a while. */
    record DiskFull(String member) implements Fault {}

    /** The heap is used up, and a new life. */
    record OutOfMemory(String member) implements Fault {}

    /** KV blocks do not come through as they should, while a worker is restarted. */
    record Transfers(String worker, DataPlane.Harm harm, Pullers pullers) implements Fault {}

    /** Who pulls them. */
    enum Pullers {
        /** Kvstores, which are offered those of new prompts and of the worker that goes. */
        KVSTORES,
        /** Workers, which are asked what the worker that went had computed. */
        WORKERS
    }

    /** What becomes of files. */
    enum Damage {
        OVERWRITTEN,
        TRUNCATED,
        DELETED
    }

    /** What a worker is doing when it is struck. */
    enum Moment {
        ANY,
        PREFILL,
        DECODE
    }
}
