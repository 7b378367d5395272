package dev.kvasir.router;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Leave;

/** The members of the cluster that this process is part of. */
@FunctionalInterface
public interface Members {
    /** Status of a member that cannot be reached, whatever else it is. */
    String UNREACHABLE = "Unreachable";

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

    /** Makes a member leave, which drains it first; false where there is no such member. */
    default boolean leave(String address) {
        return false;
    }

    static Members of(ActorSystem<?> system) {
        if (!system.settings().config().getString("pekko.actor.provider").equals("cluster")) {
            return List::of;
        }
        return new OfCluster(Cluster.get(system));
    }

    /** Those of a real cluster. */
    record OfCluster(Cluster cluster) implements Members {
        @Override
        public List<MemberStatus> now() {
            var state = cluster.state();
            var unreachable = new HashSet<>(state.getUnreachable());
            return StreamSupport.stream(state.getMembers().spliterator(), false)
                    .map(member -> status(member, unreachable.contains(member)))
                    .toList();
        }

        @Override
        public boolean leave(String address) {
            return StreamSupport.stream(cluster.state().getMembers().spliterator(), false)
                            .map(Member::address)
                            .filter(member -> hostPort(member.hostPort()).equals(address))
                            .peek(member -> cluster.manager().tell(Leave.create(member)))
                            .count()
                    > 0;
        }

        /** Without the system's name. */
        private static String hostPort(String whole) {
            return whole.substring(whole.indexOf('@') + 1);
        }
    }

    private static MemberStatus status(Member member, boolean unreachable) {
        var status = unreachable ? UNREACHABLE : member.status().toString();
        var roles = new HashSet<>(member.getRoles());
        // Which Pekko keeps among the roles.
        roles.remove("dc-" + member.dataCenter());
        return new MemberStatus(
                member.address().hostPort(), member.uniqueAddress().longUid(), Set.copyOf(roles), status);
    }
}
