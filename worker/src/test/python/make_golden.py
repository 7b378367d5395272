"""Makes the tiny models of GoldenTest and what transformers computes for them.

Usage: python make_golden.py [OUTPUT_FOLDER] [CASE ...]

Each case is one folder: config.json, safetensors weights with random values, and expected.json with prompt log
probabilities and 16 greedy tokens for prompts of several lengths. The reference is transformers in float32 with eager
attention, the whole sequence recomputed for each token. Weights are rounded to the stored type before the reference runs,
so that storage costs no accuracy. Seeds are tried until no greedy choice is close, so that rounding cannot change a token.
"""

import copy
import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

LENGTHS = [1, 5, 17, 33, 70]
NEW_TOKENS = 16
SMALLEST_GAP = 0.02
SERVED_LENGTH = 128

ids = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
small = dict(vocab_size=151, hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=5,
             num_key_value_heads=5, max_position_embeddings=SERVED_LENGTH, initializer_range=0.25, **ids)
neox = {k: v for k, v in small.items() if k != "num_key_value_heads"}
gpt2 = dict(vocab_size=151, n_embd=40, n_layer=2, n_head=5, n_positions=SERVED_LENGTH, initializer_range=0.25, **ids)


def scaled(kind, **parameters):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=10000.0, **parameters))


factors = lambda start, step, count: [round(start + step * i, 3) for i in range(count)]

# name: (configuration class, its arguments, stored type, options)
# options: old = configuration and names as older libraries wrote them; pin = rotary frequencies for the served length;
# lengths, served = instead of the usual ones; shard = most bytes of a file; nested = inside text_config
CASES = {
    "llama-gqa": ("LlamaConfig", small | dict(hidden_size=48, num_attention_heads=6, num_key_value_heads=3,
                                              head_dim=24), "float32", {}),
    "llama-mqa-tied": ("LlamaConfig", small | dict(num_key_value_heads=1, tie_word_embeddings=True, attention_bias=True,
                                                   mlp_bias=True), "bfloat16", {}),
    "llama-mha-sharded": ("LlamaConfig", small | dict(num_attention_heads=2, num_key_value_heads=2, head_dim=20),
                          "float16", dict(old=True, shard=40_000)),
    "llama-linear": ("LlamaConfig", small | scaled("linear", factor=4.0), "bfloat16", {}),
    "llama-dynamic": ("LlamaConfig", small | dict(max_position_embeddings=32) | scaled("dynamic", factor=3.0),
                      "bfloat16", dict(pin=True)),
    "llama-dynamic-short": ("LlamaConfig", small | dict(max_position_embeddings=40) | scaled("dynamic", factor=3.0),
                            "bfloat16", dict(old=True, served=40, lengths=[1, 5, 17])),
    "llama-llama3": ("LlamaConfig", small | dict(num_attention_heads=2, num_key_value_heads=1, head_dim=24)
                     | scaled("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                              original_max_position_embeddings=24), "bfloat16", {}),
    "llama-yarn": ("LlamaConfig", small | dict(num_attention_heads=2, num_key_value_heads=1, head_dim=24)
                   | scaled("yarn", factor=4.0, original_max_position_embeddings=32), "bfloat16", dict(old=True)),
    "llama-yarn-scaled": ("LlamaConfig", small | dict(num_attention_heads=2, num_key_value_heads=1, head_dim=24)
                          | scaled("yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=8.0,
                                   beta_slow=2.0, mscale=1.0, mscale_all_dim=0.5, truncate=False), "bfloat16", {}),
    "qwen2": ("Qwen2Config", small | dict(hidden_size=48, num_attention_heads=6, num_key_value_heads=2,
                                          use_sliding_window=True, sliding_window=9, max_window_layers=1,
                                          tie_word_embeddings=True), "bfloat16", {}),
    "qwen3": ("Qwen3Config", small | dict(num_attention_heads=4, num_key_value_heads=2, head_dim=24), "bfloat16", {}),
    "mistral-window": ("MistralConfig", small | dict(num_attention_heads=4, num_key_value_heads=2, head_dim=12,
                                                     sliding_window=12), "bfloat16", dict(old=True)),
    "phi3": ("Phi3Config", small | dict(hidden_size=48, num_attention_heads=3, num_key_value_heads=1,
                                        sliding_window=20, rope_parameters=dict(
                                            rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.75)),
             "bfloat16", {}),
    "phi3-longrope": ("Phi3Config", small | dict(num_key_value_heads=1, original_max_position_embeddings=32)
                      | scaled("longrope", short_factor=factors(1.0, 0.1, 4), long_factor=factors(1.5, 0.7, 4)),
                      "bfloat16", dict(pin=True)),
    "phi3-longrope-short": ("Phi3Config", small | dict(num_key_value_heads=1, original_max_position_embeddings=40)
                            | scaled("longrope", short_factor=factors(1.0, 0.1, 4), long_factor=factors(1.5, 0.7, 4)),
                            "bfloat16", dict(old=True, served=40, lengths=[1, 5, 17])),
    "smollm3": ("SmolLM3Config", small | dict(num_hidden_layers=4, num_key_value_heads=1, no_rope_layer_interval=2,
                                              use_sliding_window=True, sliding_window=10), "bfloat16", {}),
    "olmo2": ("Olmo2Config", small | dict(hidden_size=48, num_attention_heads=6, num_key_value_heads=3), "bfloat16", {}),
    "granite": ("GraniteConfig", small | dict(num_key_value_heads=1, embedding_multiplier=3.0, residual_multiplier=0.6,
                                              attention_multiplier=0.2, logits_scaling=0.7, attention_bias=True),
                "bfloat16", {}),
    "gemma2": ("Gemma2Config", small | dict(num_hidden_layers=3, tie_word_embeddings=False, num_attention_heads=4, num_key_value_heads=2,
                                            head_dim=20, query_pre_attn_scalar=30, sliding_window=11,
                                            attn_logit_softcapping=5.0, final_logit_softcapping=8.0,
                                            initializer_range=0.4), "bfloat16", {}),
    "gemma3-text": ("Gemma3TextConfig", small | dict(tie_word_embeddings=False,
        num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=1, head_dim=20, query_pre_attn_scalar=24,
        sliding_window=11, layer_types=["sliding_attention", "sliding_attention", "full_attention",
                                        "sliding_attention"],
        rope_parameters=dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=1000000.0),
                             sliding_attention=dict(rope_type="default", rope_theta=10000.0))), "bfloat16", {}),
    "gemma3-nested": ("Gemma3TextConfig", small | dict(
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16,
        sliding_window=13, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                             sliding_attention=dict(rope_type="default", rope_theta=10000.0))), "bfloat16",
        dict(old=True, nested=True, pattern=2)),
    "neox-parallel": ("GPTNeoXConfig", neox | dict(num_attention_heads=2), "bfloat16", {}),
    "neox-sequential": ("GPTNeoXConfig", neox | dict(use_parallel_residual=False, rope_parameters=dict(
        rope_type="default", rope_theta=5000.0, partial_rotary_factor=0.5)), "float16", dict(old=True)),
    "gpt2": ("GPT2Config", gpt2, "bfloat16", {}),
    "gpt2-unprefixed": ("GPT2Config", gpt2 | dict(n_head=4, n_inner=72, scale_attn_by_inverse_layer_idx=True),
                        "float32", dict(old=True)),
}


def make_model(config_class, arguments, stored_type, seed):
    config = getattr(transformers, config_class)(**arguments)
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
            elif parameter.abs().max() == 0:
                parameter.normal_(0, 0.25)
            parameter.copy_(parameter.to(stored_type).float())
    return model


def pin_rotary(model, served_length):
    """Frequencies for one length, whatever the sequence: a cache of keys has to hold still."""
    rotary = model.model.rotary_emb
    frequencies, rotary.attention_scaling = ROPE_INIT_FUNCTIONS[rotary.rope_type](
        model.config, None, seq_len=served_length)
    rotary.rope_type = "default"
    rotary.inv_freq = frequencies


@torch.no_grad()
def run(model, prompt):
    tokens = list(prompt)
    greedy, greedy_logprobs, gaps, prompt_logprobs = [], [], [], []
    for step in range(NEW_TOKENS):
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
        logprobs = torch.log_softmax(logits.double(), -1)
        if step == 0:
            prompt_logprobs = [logprobs[i, tokens[i + 1]].item() for i in range(len(tokens) - 1)]
        best = torch.topk(logprobs[-1], 2)
        gaps.append((best.values[0] - best.values[1]).item())
        greedy.append(best.indices[0].item())
        greedy_logprobs.append(best.values[0].item())
        tokens.append(greedy[-1])
    return dict(prompt=prompt, promptLogprobs=[round(x, 6) for x in prompt_logprobs], greedy=greedy,
                greedyLogprobs=[round(x, 6) for x in greedy_logprobs]), min(gaps)


def old_style(config, options):
    """The keys that transformers 4 wrote."""
    rope = config.pop("rope_parameters", None)
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    if "pattern" in options:
        config["sliding_window_pattern"] = options["pattern"]
        config["rope_theta"] = rope["full_attention"].pop("rope_theta")
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    elif config["model_type"] == "gpt_neox":
        config["rotary_emb_base"] = rope.pop("rope_theta")
        config["rotary_pct"] = rope.pop("partial_rotary_factor")
    elif rope:
        config["rope_theta"] = rope.pop("rope_theta")
        fraction = rope.pop("partial_rotary_factor", 1.0)
        if fraction != 1.0:
            config["partial_rotary_factor"] = fraction
    if rope:
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else dict(type=kind, **rope)
    return config


def nested(config):
    text = {k: v for k, v in config.items() if k not in ("architectures", "transformers_version")}
    return dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", text_config=text,
                vision_config=dict(model_type="siglip_vision_model"), eos_token_id=[2, 3])


def rename(folder, change):
    for file in folder.glob("*.safetensors"):
        save_file({change(name): tensor for name, tensor in load_file(file).items()}, file, dict(format="pt"))


def save(model, folder, stored_type, options):
    shutil.rmtree(folder, ignore_errors=True)
    stored = copy.deepcopy(model).to(stored_type)
    stored.save_pretrained(folder, max_shard_size=options.get("shard", "1GB"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    file = folder / "config.json"
    config = json.loads(file.read_text())
    if options.get("old"):
        config = old_style(config, options)
        if config["model_type"] == "gpt2":
            rename(folder, lambda name: name.removeprefix("transformer."))
        if config["model_type"] == "gpt_neox":
            rename(folder, lambda name: name.replace("lm_head", "embed_out"))
    if options.get("nested"):
        config = nested(config)
        rename(folder, lambda name: "language_model." + name)
    file.write_text(json.dumps(config, indent=1) + "\n")


def make(name, folder):
    config_class, arguments, type_name, options = CASES[name]
    stored_type = getattr(torch, type_name)
    served_length = options.get("served", SERVED_LENGTH)
    for seed in range(1, 200):
        model = make_model(config_class, copy.deepcopy(arguments), stored_type, seed)
        if options.get("pin"):
            pin_rotary(model, served_length)
        random = torch.Generator().manual_seed(seed)
        runs, smallest = [], 1e9
        for length in options.get("lengths", LENGTHS):
            prompt = torch.randint(3, 151, (length,), generator=random).tolist()
            result, gap = run(model, prompt)
            runs.append(result)
            smallest = min(smallest, gap)
            if smallest < SMALLEST_GAP:
                break
        if smallest >= SMALLEST_GAP:
            break
    else:
        raise SystemExit(f"{name}: no seed without close choices")
    save(model, folder, stored_type, options)
    expected = dict(reference=f"transformers {transformers.__version__}, torch {torch.__version__}, float32, eager",
                    seed=seed, servedLength=served_length, smallestGap=round(smallest, 4), runs=runs)
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    distinct = len({token for result in runs for token in result["greedy"]})
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: seed {seed}, smallest gap {smallest:.3f}, {distinct} distinct greedy tokens, {size} bytes", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    here = pathlib.Path(__file__).parent
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "resources" / "golden"
    for case in sys.argv[2:] or CASES:
        make(case, output / case)
