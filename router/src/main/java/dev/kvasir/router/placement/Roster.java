package dev.kvasir.router.placement;

import dev.kvasir.router.placement.Compatibility.Traits;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Which workers may serve together. Of each model, the one that joined first sets what the others must match; when it
 * leaves, the next does, so that a worker refused today may serve tomorrow.
 */
public final class Roster {
    private final Map<String, Integer> vocabularies;
    private final int protocolVersion;
    private final Map<WorkerId, Member> members = new LinkedHashMap<>();

    private record Member(String model, Traits traits) {}

    /** Of a router that serves the models named, with these vocabulary sizes. */
    public Roster(int protocolVersion, Map<String, Integer> vocabularies) {
        this.protocolVersion = protocolVersion;
        this.vocabularies = Map.copyOf(vocabularies);
    }

    public void join(WorkerId id, String model, Traits traits) {
        members.put(id, new Member(model, traits));
    }

    public void leave(WorkerId id) {
        members.remove(id);
    }

    /** Why each member may not serve; empty for those that may. */
    public Map<WorkerId, String> refusals() {
        var expected = new HashMap<String, Traits>();
        var refusals = new LinkedHashMap<WorkerId, String>();
        members.forEach((id, member) -> {
            var refusal = refusal(member, expected.get(member.model));
            if (refusal.isEmpty()) {
                expected.putIfAbsent(member.model, member.traits);
            }
            refusals.put(id, refusal.orElse(""));
        });
        return refusals;
    }

    private Optional<String> refusal(Member member, @Nullable Traits expected) {
        var vocabulary = vocabularies.get(member.model);
        if (vocabulary == null) {
            return Optional.of("its model is %s, which this router does not serve".formatted(member.model));
        }
        var traits = member.traits;
        var own = new Traits(
                protocolVersion, traits.fingerprint(), traits.blockSize(), vocabulary, traits.kvCacheDtype());
        var refusal = Compatibility.refusal(own, traits);
        return refusal.isPresent() || expected == null ? refusal : Compatibility.refusal(expected, traits);
    }
}
