package dev.kvasir.kvstore.index;

import dev.kvasir.kvstore.hash.BlockHash;
import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.Function;

/** Which kvstore keeps the blocks of a place, see {@link dev.kvasir.kvstore.hash.Segments}. */
public final class Keeper {
    private Keeper() {}

    /** The member that keeps what has this place: by rendezvous hashing, so that few places move when one comes or goes. */
    public static <T> Optional<T> of(BlockHash place, Collection<T> members, Function<T, String> address) {
        return members.stream()
                .max(Comparator.comparingLong((T member) -> weight(address.apply(member), place))
                        .thenComparing(address));
    }

    private static long weight(String address, BlockHash place) {
        long mixed = (place.high() ^ mix(address.hashCode())) * 0xBF58476D1CE4E5B9L;
        return mix(mixed ^ place.low());
    }

    private static long mix(long value) {
        long mixed = (value ^ value >>> 30) * 0x9E3779B97F4A7C15L;
        mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
        return mixed ^ mixed >>> 31;
    }
}
