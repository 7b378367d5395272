package dev.kvasir.router.grpc;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.Limits;
import dev.kvasir.router.Failure;
import dev.kvasir.router.Frontend;
import dev.kvasir.v1.AdminGrpc;
import dev.kvasir.v1.DrainRequest;
import dev.kvasir.v1.DrainResponse;
import io.grpc.stub.StreamObserver;

/** What operators ask for. */
final class AdminService extends AdminGrpc.AdminImplBase {
    private final Frontend frontend;

    AdminService(Frontend frontend) {
        this.frontend = frontend;
    }

    @Override
    public void drain(DrainRequest request, StreamObserver<DrainResponse> response) {
        if (frontend.drain(request.getAddress())) {
            response.onNext(DrainResponse.getDefaultInstance());
            response.onCompleted();
        } else {
            var why = "address is %s but must be host:port of a member; DescribeCluster lists them"
                    .formatted(Limits.shorten(request.getAddress()));
            response.onError(GrpcErrors.of(Failure.of(FailureKind.NOT_FOUND, why)));
        }
    }
}
