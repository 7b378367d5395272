"""Makes logits_processors.json: distributions as the logits processors of Hugging Face transformers give them.

Run: python make_fixtures.py > logits_processors.json   (torch, transformers)
"""

import json

import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

VOCABULARY = 48


def case(number, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0):
    generator = torch.Generator().manual_seed(number)
    logits = torch.randn(1, VOCABULARY, generator=generator) * 3
    seen = torch.randint(0, VOCABULARY, (1, 9), generator=generator)
    processors = LogitsProcessorList()
    if repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(repetition_penalty))
    processors.append(TemperatureLogitsWarper(temperature))
    if min_p > 0:
        processors.append(MinPLogitsWarper(min_p))
    if top_k > 0:
        processors.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        processors.append(TopPLogitsWarper(top_p))
    probabilities = processors(seen, logits.clone()).double().softmax(-1)
    return {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "logits": [round(x, 6) for x in logits[0].tolist()],
        "seen": seen[0].tolist(),
        "probabilities": [round(x, 7) for x in probabilities[0].tolist()],
        "logprobs": [round(x, 5) for x in logits[0].double().log_softmax(-1).tolist()],
    }


cases = [
    case(1),
    case(2, temperature=0.6),
    case(3, temperature=2.5),
    case(4, top_k=5),
    case(5, top_p=0.8),
    case(6, min_p=0.1),
    case(7, repetition_penalty=1.3),
    case(8, temperature=0.7, top_k=20, top_p=0.95),
    case(9, temperature=1.4, top_p=0.9, min_p=0.02, repetition_penalty=0.8),
    case(10, temperature=0.9, top_k=10, top_p=0.5, min_p=0.05, repetition_penalty=1.1),
]
print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")
