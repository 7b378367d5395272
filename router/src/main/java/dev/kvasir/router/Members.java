package dev.kvasir.router;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.typed.Cluster;

/** The members of the cluster that this process is part of. */
@FunctionalInterface
public interface Members {
    /**
     * One member.
     *
     * @param address host:port
     * @param status such as Up, Leaving or Unreachable
     */
    record MemberStatus(String address, long incarnation, Set<String> roles, String status) {
        public MemberStatus {
            roles = Set.copyOf(roles);
        }
    }

    List<MemberStatus> now();

    static Members of(ActorSystem<?> system) {
        if (!system.settings().config().getString("pekko.actor.provider").equals("cluster")) {
            return List::of;
        }
        var cluster = Cluster.get(system);
        return () -> {
            var state = cluster.state();
            var unreachable = new HashSet<>(state.getUnreachable());
            return StreamSupport.stream(state.getMembers().spliterator(), false)
                    .map(member -> status(member, unreachable.contains(member)))
                    .toList();
        };
    }

    private static MemberStatus status(Member member, boolean unreachable) {
        var status = unreachable ? "Unreachable" : member.status().toString();
        return new MemberStatus(
                member.address().hostPort(), member.uniqueAddress().longUid(), member.getRoles(), status);
    }
}
