package dev.kvasir.router.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kvasir.router.StandInWorker;
import dev.kvasir.router.TestCluster;
import dev.kvasir.router.TestModel;
import dev.kvasir.v1.AdminGrpc;
import dev.kvasir.v1.DrainRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.ListModelsRequest;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A gRPC door that asks for keys. */
class GrpcKeysTest {
    private final TestCluster cluster = TestCluster.start("api-keys = [\"sk-one\", \"sk-two acme\"]");
    private final GrpcServer server = GrpcServer.start(cluster.frontend());
    private final ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", server.port())
            .usePlaintext()
            .build();

    @AfterEach
    void stop() {
        channel.shutdownNow();
        server.close();
        cluster.close();
    }

    private static ClientInterceptor showing(String key) {
        var headers = new Metadata();
        headers.put(Callers.AUTHORIZATION, "Bearer " + key);
        headers.put(Callers.TENANT, "somebody");
        return MetadataUtils.newAttachHeadersInterceptor(headers);
    }

    private InferenceGrpc.InferenceBlockingStub stub() {
        return InferenceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
    }

    private static Status.Code refusal(Runnable call) {
        return catchThrowableOfType(StatusRuntimeException.class, call::run)
                .getStatus()
                .getCode();
    }

    @Test
    void callsWithoutAKnownKeyAreRefusedAndHealthIsNot() {
        var request = ListModelsRequest.getDefaultInstance();
        assertThat(refusal(() -> stub().listModels(request))).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(refusal(() -> stub().withInterceptors(showing("SK-ONE")).listModels(request)))
                .isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(refusal(() ->
                        stub().generate(GenerateRequest.getDefaultInstance()).next()))
                .isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(stub().withInterceptors(showing("sk-one"))
                        .listModels(request)
                        .getModelsCount())
                .isEqualTo(1);
        assertThat(HealthGrpc.newBlockingStub(channel)
                        .check(HealthCheckRequest.getDefaultInstance())
                        .getStatus())
                .isEqualTo(ServingStatus.NOT_SERVING);
    }

    @Test
    void aRequestIsForTheTenantOfItsKey() {
        cluster.worker((request, output, index) -> StandInWorker.saying(
                        request.tenant().name() + "|" + request.tenant().salt())
                .token(request, output, index));
        var request = GenerateRequest.newBuilder()
                .setModel(TestModel.NAME)
                .setText("hello")
                .build();
        var text = new StringBuilder();
        stub().withInterceptors(showing("sk-two"))
                .generate(request)
                .forEachRemaining(response -> text.append(response.getOutput().getText()));
        assertThat(text).hasToString("acme|acme");
    }

    @Test
    void theClustersAffairsAreForKeysThatAreNoTenants() {
        var admin = AdminGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
        var request = DrainRequest.newBuilder().setAddress("10.1.2.3:4").build();
        assertThat(refusal(() -> admin.drain(request))).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(refusal(() -> admin.withInterceptors(showing("sk-two")).drain(request)))
                .isEqualTo(Status.Code.PERMISSION_DENIED);
        assertThat(refusal(() -> admin.withInterceptors(showing("sk-one")).drain(request)))
                .isEqualTo(Status.Code.NOT_FOUND);
    }
}
