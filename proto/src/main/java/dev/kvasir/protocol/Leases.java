package dev.kvasir.protocol;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Who has shown a sign of life lately. A peer that is silent for the length of a lease is lost until it is heard again.
 * Time in which this side did not look, because its process was stopped or starved, does not count against anybody: the
 * signs of life of that time may still lie unread.
 *
 * @param <K> names one life of a peer
 */
public final class Leases<K> {
    /** Looks within a lease; more than twice the time between two of them was a pause of our own. */
    public static final int LOOKS_PER_LEASE = 4;

    private final long leaseNanos;
    private final Map<K, Peer> peers = new LinkedHashMap<>();
    private long lookedNanos;

    private static final class Peer {
        private long heardNanos;
        private boolean lost;

        Peer(long nowNanos) {
            heardNanos = nowNanos;
        }
    }

    public Leases(long leaseNanos, long nowNanos) {
        this.leaseNanos = leaseNanos;
        this.lookedNanos = nowNanos;
    }

    /** A sign of life; true where the peer had been lost. New peers are welcome. */
    public boolean heard(K peer, long nowNanos) {
        var known = peers.computeIfAbsent(peer, _ -> new Peer(nowNanos));
        boolean revived = known.lost;
        known.heardNanos = nowNanos;
        known.lost = false;
        return revived;
    }

    /** Looks around, {@link #LOOKS_PER_LEASE} times per lease: the peers that were lost since the last look. */
    public List<K> look(long nowNanos) {
        long unseen = nowNanos - lookedNanos;
        lookedNanos = nowNanos;
        boolean paused = unseen > 2 * leaseNanos / LOOKS_PER_LEASE;
        var lost = new ArrayList<K>();
        peers.forEach((key, peer) -> {
            if (paused) {
                peer.heardNanos += unseen;
            }
            if (!peer.lost && nowNanos - peer.heardNanos > leaseNanos) {
                peer.lost = true;
                lost.add(key);
            }
        });
        return lost;
    }

    /** The peer is lost at once, whatever was heard of it. False where it was lost, or never known. */
    public boolean lose(K peer) {
        var known = peers.get(peer);
        if (known == null || known.lost) {
            return false;
        }
        known.lost = true;
        return true;
    }

    public void forget(K peer) {
        peers.remove(peer);
    }

    /** Whether the peer is known and not lost. */
    public boolean holds(K peer) {
        var known = peers.get(peer);
        return known != null && !known.lost;
    }

    /** All that are known, lost or not. */
    public List<K> peers() {
        return List.copyOf(peers.keySet());
    }
}
