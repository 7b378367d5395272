/** The OpenAI HTTP door: routes, JSON in and out, server-sent events, and the life of client connections. */
@NullMarked
package dev.kvasir.router.http;

import org.jspecify.annotations.NullMarked;
