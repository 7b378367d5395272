package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.tier.FrameHeader;
import java.lang.foreign.MemorySegment;

/**
 * A block as a message. On its way out the bytes are those of a pinned block, which must stay pinned until the message was
 * handed to gRPC; on its way in they have been taken where they belong before the message appears, and are empty here.
 */
record Frame(FrameHeader header, MemorySegment bytes) {}
