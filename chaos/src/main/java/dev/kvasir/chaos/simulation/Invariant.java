package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.router.Failure;
import java.util.List;
import java.util.Set;

/** A promise that is checked while the world turns; throws {@link Violation} when it is broken. */
interface Invariant {
    /** A router's copy of a shard has heard from it. */
    default void updated(World world, RouterShell router, String shard) {}

    /** A holder of blocks has told the index its news, as it does at least once a second. */
    default void told(HolderShell holder) {}

    /** Twice a second. */
    default void now(World world) {}

    default void engineStepped(Life life, WorkerShell worker) {}

    default void failed(World world, ClientShell.Exchange exchange, Failure failure) {}

    /** Whether something is not yet as it must be soon after everything has come to rest. */
    default boolean waits(World world) {
        return false;
    }

    /** All requests are over, all faults too, and some time has passed. */
    default void atRest(World world) {}

    static List<Invariant> all(Set<BlockHash> roots) {
        return List.of(
                new EveryRequestEnds(),
                new NoOrphans(),
                new BlocksAreWhatTheirHashSays(roots),
                new QueuesAreBounded(),
                new IndexTellsTheTruth(),
                new LoadsAreKnown(),
                new TransfersAreQuiet(),
                new NothingLeaks());
    }
}
