package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ResumePoint;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;

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

    /** Blocks of a worker, which a kvstore pulls if it wants them. */
    record Offer(Holder from, List<BlockHash> hashes, ActorRef<Taken> replyTo) implements Message {
        public Offer {
            hashes = List.copyOf(hashes);
        }
    }

    /** An offer was looked at, and pulled as far as it was wanted. */
    record Taken() implements Message {}

    /** A kvstore is to leave. */
    record Drain() implements Message {}

    /** A part of an answer. */
    record Said(RequestId id, OutputEvent event) implements Message {}
}
