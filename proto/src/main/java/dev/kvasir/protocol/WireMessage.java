package dev.kvasir.protocol;

/** A message that may travel between members. Its bytes are Protobuf, made and read by {@code WireSerializer} alone. */
public interface WireMessage {}
