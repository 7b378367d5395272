package dev.kvasir.worker;

import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.EngineSettings;
import dev.kvasir.worker.runner.ModelRunner;

/** A model that is ready to run, and what its worker says of it. */
public record LoadedModel(WorkerProtocol.Description description, EngineSettings settings, ModelRunner runner) {}
