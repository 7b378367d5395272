package dev.kvasir.chaos.process;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which members a cluster has: roles by name. Kvstores of their own, or routers that are kvstores too.
 *
 * @param roles by name, in the order in which they start; the first forms the cluster
 */
public record Roster(Map<String, List<String>> roles) {
    private static final int PROCESSORS_OF_SEVEN = 8;

    public Roster {
        roles = Collections.unmodifiableMap(new LinkedHashMap<>(roles));
    }

    /** As many processes as a machine can be expected to feed: five, or seven where it has more than a few processors. */
    static Roster forMachine(int processors) {
        return processors >= PROCESSORS_OF_SEVEN ? of(2, 3, 2) : of(2, 2, 1);
    }

    /** Four processes; the routers are the kvstores. */
    static Roster small() {
        return of(2, 2, 0);
    }

    private static Roster of(int routers, int workers, int stores) {
        var roles = new LinkedHashMap<String, List<String>>();
        for (int i = 0; i < routers; i++) {
            roles.put("router" + i, stores == 0 ? List.of("router", "kvstore") : List.of("router"));
        }
        for (int i = 0; i < stores; i++) {
            roles.put("store" + i, List.of("kvstore"));
        }
        for (int i = 0; i < workers; i++) {
            roles.put("worker" + i, List.of("worker"));
        }
        return new Roster(roles);
    }

    List<String> names() {
        return List.copyOf(roles.keySet());
    }

    List<String> with(String role) {
        var names = new ArrayList<String>();
        roles.forEach((name, has) -> {
            if (has.contains(role)) {
                names.add(name);
            }
        });
        return names;
    }
}
