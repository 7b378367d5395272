package dev.kvasir.chaos.simulation;

import dev.kvasir.router.placement.Policy;
import java.util.ArrayList;
import java.util.List;

/** A workload, the cluster that it meets, and what goes wrong. What must hold is the same for all. */
record Scenario(String name, Geometry geometry, Policy policy, Workload workload, List<Fault> faults) {
    public Scenario {
        faults = List.copyOf(faults);
    }

    /** The same without one of its faults. */
    Scenario without(int fault) {
        var fewer = new ArrayList<>(faults);
        fewer.remove(fault);
        return new Scenario(name, geometry, policy, workload, fewer);
    }

    @Override
    public String toString() {
        var text = new StringBuilder(name).append('\n');
        text.append("  ")
                .append(geometry)
                .append(", placement by ")
                .append(policy.title())
                .append("\n  ")
                .append(workload)
                .append('\n');
        faults.forEach(fault -> text.append("  ").append(fault).append('\n'));
        return text.toString();
    }
}
