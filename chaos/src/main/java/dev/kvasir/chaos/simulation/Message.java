package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.RequestId;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ResumePoint;

/** Between clients and routers; members speak the cluster's protocol. */
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

    /** A part of an answer. */
    record Said(RequestId id, OutputEvent event) implements Message {}
}
