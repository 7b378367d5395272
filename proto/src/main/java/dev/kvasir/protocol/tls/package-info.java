/** Words that cross process boundaries, and their serializers. */
@NullMarked
package dev.kvasir.protocol.tls;

import org.jspecify.annotations.NullMarked;
