/** Words that cross process boundaries, and their serializers. */
@NullMarked
package dev.kvasir.protocol;

import org.jspecify.annotations.NullMarked;
