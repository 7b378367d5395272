package dev.kvasir.router.placement;

import java.util.random.RandomGenerator;

/** A routing policy: a pure function, so that a test or a simulation can call it a million times. */
public interface Placement {
    Decision place(ClusterView view, Query query, RandomGenerator random);
}
