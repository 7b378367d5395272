package dev.kvasir.router.placement;

import java.util.random.RandomGenerator;

/**
 * A routing policy: a function of its arguments, so that a test or a simulation can call it a million times. (Round robin
 * remembers whose turn it is, so each router makes its own.)
 */
@FunctionalInterface
public interface Placement {
    Decision place(ClusterView view, Query query, RandomGenerator random);
}
