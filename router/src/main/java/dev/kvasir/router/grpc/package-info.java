/** The gRPC door. */
@NullMarked
package dev.kvasir.router.grpc;

import org.jspecify.annotations.NullMarked;
