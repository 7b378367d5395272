package dev.kvasir.deploy;

import dev.kvasir.client.KvasirClient;
import dev.kvasir.v1.AdminGrpc;
import dev.kvasir.v1.DrainRequest;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kvasir drain}. */
@Command(
        name = "drain",
        sortOptions = false,
        description =
                "Makes a member refuse new requests, finish or hand over running ones, leave the cluster and end with status 0.",
        footerHeading = "%nExample:%n",
        footer = {"  kvasir drain 10.0.0.7:7355 --grpc 10.0.0.1:50051"})
final class DrainCommand implements Callable<Integer> {
    private static final long TIMEOUT_SECONDS = 10;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "HOST:PORT", description = "Cluster address of the member, as it prints at start.")
    private String address;

    @Option(
            names = "--grpc",
            paramLabel = "HOST:PORT",
            defaultValue = "127.0.0.1:50051",
            description =
                    "gRPC door of any router of the cluster; https://HOST:PORT for TLS (default: ${DEFAULT-VALUE}).")
    private String router;

    @Mixin
    private ClientFlags client;

    @Override
    public Integer call() {
        var channel = KvasirClient.channel(router, client.grpc(router));
        try {
            AdminGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(TIMEOUT_SECONDS, TimeUnit.SECONDS)
                    .drain(DrainRequest.newBuilder().setAddress(address).build());
            spec.commandLine().getOut().println("Draining " + address);
            return Kvasir.SUCCESS;
        } catch (StatusRuntimeException e) {
            throw CallFailure.of(router, "does not drain " + address, e);
        } finally {
            channel.shutdownNow();
        }
    }
}
