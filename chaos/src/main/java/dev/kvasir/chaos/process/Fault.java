package dev.kvasir.chaos.process;

import java.util.Set;

/** Something that goes wrong. Members are meant by name. */
sealed interface Fault {
    /** kill -9, and a new life after a while; in the middle of what it does. */
    record Kill(String member, Moment moment, long downMillis) implements Fault {}

    /** SIGSTOP, and SIGCONT after a while. */
    record Stop(String member, long millis) implements Fault {}

    /** SIGTERM, and a new life. */
    record Restart(String member) implements Fault {}

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
