package dev.kvasir.deploy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigValueFactory;
import dev.kvasir.protocol.tls.Certificates;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.AddressFromURIString;
import org.apache.pekko.actor.BootstrapSetup;
import org.apache.pekko.actor.setup.ActorSystemSetup;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Join;
import org.apache.pekko.cluster.typed.JoinSeedNodes;
import org.apache.pekko.remote.RemoteTransportException;
import org.apache.pekko.remote.artery.tcp.SSLEngineProviderSetup;

/** The actor system of a member, and its way into the cluster. */
final class ClusterMember {
    private static final String SYSTEM = "kvasir";

    private ClusterMember() {}

    /** Starts an actor system that listens for other members and is in no cluster yet. */
    static ActorSystem<Void> start(KvasirConfig config, Optional<Certificates> certificates) {
        var cluster = config.cluster();
        try {
            return ActorSystem.create(Behaviors.empty(), SYSTEM, setup(config, certificates));
        } catch (RemoteTransportException e) {
            throw new CommandException(
                    "cannot listen on kvasir.cluster %s:%d: %s"
                            .formatted(
                                    cluster.listenHost(),
                                    cluster.bindPort() == 0 ? cluster.port() : cluster.bindPort(),
                                    reason(e)),
                    e);
        }
    }

    private static ActorSystemSetup setup(KvasirConfig config, Optional<Certificates> certificates) {
        var pekko = pekko(config);
        if (certificates.isEmpty()) {
            return ActorSystemSetup.create(BootstrapSetup.create(pekko));
        }
        // Whatever the user says about Pekko's transport: certificates that are named are shown, and asked for.
        return ActorSystemSetup.create(
                BootstrapSetup.create(pekko.withValue("pekko.remote.artery.transport", value("tls-tcp"))),
                SSLEngineProviderSetup.create(_ -> new ClusterTls(certificates.get())));
    }

    private static Config pekko(KvasirConfig config) {
        var cluster = config.cluster();
        var roles = config.roles().stream().map(Role::label).sorted().toList();
        var own = ConfigFactory.parseURL(
                Objects.requireNonNull(ClusterMember.class.getResource("pekko.conf")),
                ConfigParseOptions.defaults().setAllowMissing(false));
        return config.pekko()
                .withFallback(ConfigFactory.empty()
                        .withValue("pekko.remote.artery.canonical.hostname", value(cluster.host()))
                        .withValue("pekko.remote.artery.canonical.port", value(cluster.port()))
                        .withValue("pekko.remote.artery.bind.hostname", value(cluster.bindHost()))
                        .withValue(
                                "pekko.remote.artery.bind.port",
                                value(cluster.bindPort() == 0 ? "" : cluster.bindPort()))
                        .withValue("pekko.cluster.roles", value(roles))
                        .withValue(
                                "pekko.coordinated-shutdown.phases.before-service-unbind.timeout",
                                value(config.drainTimeoutMax().toMillis() + " ms"))
                        .withValue(
                                "pekko.coordinated-shutdown.phases.service-unbind.timeout",
                                value(config.drainTimeoutMax().toMillis() + " ms"))
                        .withValue(
                                "pekko.cluster.shutdown-after-unsuccessful-join-seed-nodes",
                                value(cluster.joinTimeout().toMillis() + " ms")))
                .withFallback(own)
                .withFallback(ConfigFactory.defaultReference())
                .resolve();
    }

    private static com.typesafe.config.ConfigValue value(Object value) {
        return ConfigValueFactory.fromAnyRef(value, "kvasir.cluster");
    }

    /** Joins as configured, and waits until the member is up. */
    static void join(ActorSystem<?> system, ClusterConfig config, Optional<Certificates> certificates)
            throws InterruptedException {
        var up = new CompletableFuture<Void>();
        var classic = org.apache.pekko.cluster.Cluster.get(Adapter.toClassic(system));
        classic.registerOnMemberUp(() -> up.complete(null));
        classic.registerOnMemberRemoved(() -> up.completeExceptionally(new IllegalStateException("removed")));
        var cluster = Cluster.get(system);
        if (config.join().isEmpty()) {
            cluster.manager().tell(Join.create(cluster.selfMember().address()));
        } else {
            var seeds = config.join().stream()
                    .map(member -> AddressFromURIString.parse("pekko://%s@%s".formatted(SYSTEM, member)))
                    .toList();
            cluster.manager().tell(new JoinSeedNodes(seeds));
        }
        try {
            up.get(config.joinTimeout().toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            throw new CommandException(
                    "could not join the cluster within %d s: %s"
                            .formatted(config.joinTimeout().toSeconds(), unreached(config.join(), certificates)),
                    e);
        }
    }

    private static String unreached(List<String> join, Optional<Certificates> certificates) {
        if (join.isEmpty()) {
            return "this member did not come up";
        }
        var tls = certificates
                .map(own -> "this one has kvasir.tls, and talks with members of the same authority alone"
                        + own.lastRefusal().map(refusal -> "; it " + refusal).orElse(""))
                .orElse("this one has no kvasir.tls, and cannot talk with members that have");
        return "no member answers at %s (%s)".formatted(String.join(", ", join), tls);
    }

    /** host:port that other members reach this one at. */
    static String address(ActorSystem<?> system) {
        var self = Cluster.get(system).selfMember().address();
        return self.getHost().orElse("?") + ":" + self.getPort().orElse(0);
    }

    private static String reason(Throwable failure) {
        var cause = failure.getCause();
        return cause == null ? String.valueOf(failure.getMessage()) : reason(cause);
    }
}
