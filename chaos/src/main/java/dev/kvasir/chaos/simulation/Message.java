package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ResumePoint;

/** Between clients and routers, and what wraps the cluster's own protocol, which members speak. */
sealed interface Message {
    /** A client's request. */
    record Open(Job job) implements Message {
        @Override
        public String toString() {
            return "Open " + job.id();
        }
    }

    /** A client that has lost its router wants the rest. */
    record Resume(Job job, ResumePoint received) implements Message {
        @Override
        public String toString() {
            return "Resume " + job.id() + " " + received;
        }
    }

    /** A client gives up. */
    record Close(RequestId id) implements Message {}

    /** To a shard of the prefix index, which is where the message goes. */
    record ToShard(String shard, Command command) implements Message {}

    /** A kvstore is to leave. */
    record Drain() implements Message {}

    /** A part of an answer. */
    record Said(RequestId id, OutputEvent event) implements Message {}
}
