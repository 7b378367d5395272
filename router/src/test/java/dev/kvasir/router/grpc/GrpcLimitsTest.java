package dev.kvasir.router.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kvasir.router.StandInWorker;
import dev.kvasir.router.TestCluster;
import dev.kvasir.router.TestModel;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.ListModelsRequest;
import dev.kvasir.v1.Report;
import dev.kvasir.v1.Sampling;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GrpcLimitsTest {
    private TestCluster cluster = TestCluster.start("");
    private GrpcServer server = GrpcServer.start(cluster.frontend());
    private ManagedChannel channel = connect();

    private ManagedChannel connect() {
        return NettyChannelBuilder.forAddress("127.0.0.1", server.port())
                .usePlaintext()
                .flowControlWindow(65_535)
                .build();
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        server.close();
        cluster.close();
    }

    private void restart(String changes) {
        stop();
        cluster = TestCluster.start(changes);
        server = GrpcServer.start(cluster.frontend());
        channel = connect();
    }

    private InferenceGrpc.InferenceBlockingStub stub() {
        return InferenceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
    }

    private ServingStatus health(String service) {
        return HealthGrpc.newBlockingStub(channel)
                .withDeadlineAfter(20, TimeUnit.SECONDS)
                .check(HealthCheckRequest.newBuilder().setService(service).build())
                .getStatus();
    }

    @Test
    void healthFollowsTheWorkersAndEndsWithTheDrain() {
        assertThat(health("")).isEqualTo(ServingStatus.NOT_SERVING);
        cluster.worker(StandInWorker.saying("late but whole"), Duration.ofMillis(20));
        assertThat(health("")).isEqualTo(ServingStatus.SERVING);
        assertThat(health(InferenceGrpc.SERVICE_NAME)).isEqualTo(ServingStatus.SERVING);
        var old = stub().generate(GenerateRequest.newBuilder().setText("hello").build());
        assertThat(old.next()).isNotNull();
        server.drain();
        assertThat(health("")).isEqualTo(ServingStatus.NOT_SERVING);
        cluster.frontend().drain();
        server.close();
        var text = new StringBuilder();
        old.forEachRemaining(r -> text.append(r.getOutput().getText()));
        assertThat("late but whole").endsWith(text);
        assertThat(text).isNotEmpty();
    }

    @Test
    void reflectionListsTheServices() throws Exception {
        var answer = new CompletableFuture<ServerReflectionResponse>();
        var requests = ServerReflectionGrpc.newStub(channel).serverReflectionInfo(new StreamObserver<>() {
            @Override
            public void onNext(ServerReflectionResponse response) {
                answer.complete(response);
            }

            @Override
            public void onError(Throwable thrown) {
                answer.completeExceptionally(thrown);
            }

            @Override
            public void onCompleted() {}
        });
        requests.onNext(
                ServerReflectionRequest.newBuilder().setListServices("*").build());
        var services =
                answer.get(20, TimeUnit.SECONDS).getListServicesResponse().getServiceList();
        requests.onCompleted();
        assertThat(services)
                .extracting(ServiceResponse::getName)
                .contains("kvasir.v1.Inference", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection");
    }

    @Test
    void oversizedMessageIsRefusedAndTheNextCallServed() {
        restart("message-bytes-max = 10 KiB");
        var error = catchThrowableOfType(
                StatusRuntimeException.class,
                () -> stub().generate(GenerateRequest.newBuilder()
                                .setText("x".repeat(20_000))
                                .build())
                        .hasNext());
        assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertStillServing();
    }

    @Test
    void oversizedMetadataIsRefusedAndTheNextCallServed() {
        var headers = new Metadata();
        headers.put(Metadata.Key.of("x-big", Metadata.ASCII_STRING_MARSHALLER), "x".repeat(20_000));
        var stub = stub().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
        var error = catchThrowableOfType(
                StatusRuntimeException.class, () -> stub.listModels(ListModelsRequest.getDefaultInstance()));
        assertThat(error.getStatus().isOk()).isFalse();
        assertStillServing();
    }

    @Test
    void messageThatIsNotUtf8IsAnInvalidArgument() {
        // Field 1 (model), two bytes that are no UTF-8.
        byte[] message = {0x0a, 2, (byte) 0xff, (byte) 0xfe};
        var method = MethodDescriptor.<byte[], byte[]>newBuilder()
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName("kvasir.v1.Inference/Tokenize")
                .setRequestMarshaller(new Bytes())
                .setResponseMarshaller(new Bytes())
                .build();
        var error = catchThrowableOfType(
                StatusRuntimeException.class,
                () -> ClientCalls.blockingUnaryCall(
                        channel, method, CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS), message));
        assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(error.getStatus().getDescription()).contains("UTF-8");
        assertStillServing();
    }

    @Test
    void clientThatNeverReadsIsCutAndTheWorkerFreed() throws Exception {
        restart("slow-reader-timeout = 300 ms");
        cluster.worker(StandInWorker.babbling());
        var request = GenerateRequest.newBuilder()
                .setText("hello")
                .setSampling(Sampling.newBuilder().setN(16).setIgnoreEos(true))
                .setReport(Report.newBuilder().setLogprobs(20))
                .build();
        var closed = new CompletableFuture<Status>();
        ClientCall<GenerateRequest, GenerateResponse> call =
                channel.newCall(InferenceGrpc.getGenerateMethod(), CallOptions.DEFAULT);
        call.start(
                new ClientCall.Listener<>() {
                    @Override
                    public void onClose(Status status, Metadata trailers) {
                        closed.complete(status);
                    }
                },
                new Metadata());
        call.request(1);
        call.sendMessage(request);
        call.halfClose();
        cluster.awaitIdleWorkers();
        cluster.awaitQuiet();
        call.request(Integer.MAX_VALUE);
        var status = closed.get(20, TimeUnit.SECONDS);
        assertThat(status.getCode()).as(status.toString()).isEqualTo(Status.Code.CANCELLED);
        assertThat(status.getDescription()).contains("read too slowly");
    }

    @Test
    void fiftyCallsAtOnceAreAllAnswered() {
        cluster.worker(StandInWorker.saying("me too"));
        var answers = IntStream.range(0, 50)
                .mapToObj(_ -> CompletableFuture.supplyAsync(
                        () -> {
                            var text = new StringBuilder();
                            stub().generate(GenerateRequest.newBuilder()
                                            .setText("hello")
                                            .build())
                                    .forEachRemaining(
                                            r -> text.append(r.getOutput().getText()));
                            return text.toString();
                        },
                        task -> Thread.ofVirtual().start(task)))
                .toList();
        assertThat(answers).allSatisfy(a -> assertThat(a.join()).isEqualTo("me too"));
        cluster.awaitQuiet();
    }

    private void assertStillServing() {
        assertThat(stub().listModels(ListModelsRequest.getDefaultInstance())
                        .getModels(0)
                        .getName())
                .isEqualTo(TestModel.NAME);
    }

    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
