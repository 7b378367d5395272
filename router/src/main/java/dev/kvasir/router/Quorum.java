package dev.kvasir.router;

import dev.kvasir.router.Members.MemberStatus;
import java.util.Comparator;
import java.util.List;

/**
 * Whether this router is on the side of a partition that may serve: the one with most members, or of two equal ones the one
 * with the lowest address, as the split brain resolver decides it later and for good. A minority takes nothing new once it has
 * been one for a while, so that what the others do in its place is not done twice. Time comes from outside.
 */
public final class Quorum {
    private final long graceNanos;
    private boolean minority;
    private long sinceNanos;

    /** @param graceNanos how long a minority goes on */
    public Quorum(long graceNanos) {
        this.graceNanos = graceNanos;
    }

    /** Why nothing new is to be taken now; empty where all is well. */
    public String refusal(List<MemberStatus> members, long nowNanos) {
        var counted = members.stream().filter(Quorum::counts).toList();
        long reachable = counted.stream().filter(Quorum::isReachable).count();
        if (isMajority(counted, reachable)) {
            minority = false;
            return "";
        }
        if (!minority) {
            minority = true;
            sinceNanos = nowNanos;
        }
        return nowNanos - sinceNanos < graceNanos
                ? ""
                : "this router reaches %d of %d members of the cluster, which is no majority"
                        .formatted(reachable, counted.size());
    }

    private static boolean isMajority(List<MemberStatus> counted, long reachable) {
        if (counted.isEmpty() || 2 * reachable != counted.size()) {
            return counted.isEmpty() || 2 * reachable > counted.size();
        }
        return counted.stream()
                .min(Comparator.comparing(MemberStatus::address))
                .filter(Quorum::isReachable)
                .isPresent();
    }

    private static boolean isReachable(MemberStatus member) {
        return !member.status().equals(Members.UNREACHABLE);
    }

    /** Those that join do not count yet, those that are down or leave do not any more. */
    private static boolean counts(MemberStatus member) {
        return switch (member.status()) {
            case "Joining", "WeaklyUp", "Down", "Exiting", "Removed" -> false;
            default -> true;
        };
    }
}
