"""Trains Kvasir's bundled demo model and exports it as a Hugging Face folder.

    python train.py --out . --minutes 8          one GPU, everything from tokenizer to export
    python train.py --out try --tiny             a few steps on a CPU, to see that the script runs

The text is generated while training runs (skills.py); worker processes generate, tokenize and batch it. The model is
the Llama architecture written out below, with parameter names of `transformers`, so that exporting is only saving.
`evaluate.py` measures the exported folder.
"""

import argparse
import json
import math
import time
from multiprocessing import Value
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn

import skills

BOS, IM_START, IM_END, PAD = "<|bos|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
SPECIAL_TOKENS = [BOS, IM_START, IM_END, PAD]  # in the order of their ids: 0, 1, 2, 3
BOS_ID, IM_START_ID, IM_END_ID, PAD_ID = range(4)

CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 3072,
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rope_theta": 100000.0,
    "rope_scaling": None,
    "rms_norm_eps": 1e-05,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "mlp_bias": False,
    "initializer_range": 0.02,
    "tie_word_embeddings": True,
    "use_cache": True,
    "bos_token_id": BOS_ID,
    "eos_token_id": IM_END_ID,
    "pad_token_id": PAD_ID,
    "torch_dtype": "bfloat16",
}


# ---------------------------------------------------------------------------------------------------------------------
# Tokenizer
# ---------------------------------------------------------------------------------------------------------------------

# Words with one leading character of space or punctuation, digits one by one, runs of punctuation, line ends, space.
SPLIT = r"""[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""


def train_tokenizer(seed: int, samples: int) -> Tokenizer:
    """Byte-level BPE: all 256 bytes are in the vocabulary, so any text comes back as it went in."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=CONFIG["vocab_size"], show_progress=False,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(_tokenizer_texts(seed, samples), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, BOS_ID)])
    return tokenizer


def _tokenizer_texts(seed: int, samples: int):
    rng = Random(f"tokenizer {seed}")
    # Every listed word, alone (as an answer begins), after a space (as in a text) and after a quote (as in JSON).
    words = (skills.NAMES + skills.ITEMS + skills.COLOURS + skills.PLACES + skills.CITIES + skills.JOBS + skills.FRUITS
             + skills.ANIMALS + list(skills.JSON_FIELDS))
    for word in words:
        yield from [word, " " + word, '"' + word] * max(2, samples // 50)
    for word in skills.THINGS + skills.COMMON:
        yield from [word, " " + word] * max(2, samples // 100)
    for _ in range(samples):
        document = skills.Document(rng, 100)
        yield document.text
        for question, answer in [document.turn(), skills.skill_turn(rng), skills.skill_turn(rng)]:
            yield "user\n" + question
            yield "assistant\n" + answer
            yield f"Question: {question}\nAnswer: {answer}"
    for role, text in [("system", prompt) for prompt in skills.SYSTEM_PROMPTS] * 10:
        yield f"{role}\n{text}"


# ---------------------------------------------------------------------------------------------------------------------
# Training rows
# ---------------------------------------------------------------------------------------------------------------------

NO_LOSS, CONTEXT, ANSWER = 0, 1, 2  # what a token counts for as a target


class RowMaker:
    """Turns random samples into rows of at most `length` tokens, each with its per-token loss kinds."""

    def __init__(self, tokenizer: Tokenizer, rng: Random):
        self.tokenizer, self.rng = tokenizer, rng
        self.newline = self._ids("\n")
        self.assistant = self._ids("assistant\n")

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def row(self, length: int) -> tuple[list[int], list[int]]:
        while True:
            ids, kinds = self._draw(length)
            if len(ids) <= length:
                return ids, kinds

    def _draw(self, length: int):
        rng = self.rng
        with_document = rng.random() < {128: 0.25, 256: 0.5, 512: 0.65}.get(length, 0.92)
        plain = rng.random() < (0.15 if length <= 512 else 0.08)
        if not with_document:
            turns = [skills.skill_turn(rng) for _ in range(rng.randint(1, 4) if plain else max(1, length // 16))]
            return self._plain(turns) if plain else self._chat(skills.skill_chat(rng, turns), length)
        text_share = rng.choice([0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
        document = skills.Document(rng, int(length * text_share * 0.9))
        if plain:
            turns = [document.turn() for _ in range(rng.randint(1, 3))]
            return self._plain(turns, document.text)
        turns = [skills.skill_turn(rng) if rng.random() < 0.06 else document.turn() for _ in range(max(1, length // 12))]
        turns[0] = document.turn()
        return self._chat(skills.document_chat(rng, document, turns), length)

    def _chat(self, messages: list[dict], length: int):
        """The chat template in token ids, cut after the last answer that fits into `length`."""
        ids, kinds = [BOS_ID], [NO_LOSS]
        fitting = None
        for message in messages:
            if message["role"] == "assistant":
                answer = self._ids("assistant\n" + message["content"])[len(self.assistant):]
                ids += [IM_START_ID, *self.assistant, *answer, IM_END_ID, *self.newline]
                kinds += [CONTEXT] * (1 + len(self.assistant)) + [ANSWER] * (len(answer) + 1) + [CONTEXT] * len(self.newline)
                if len(ids) > length:
                    break
                fitting = len(ids)
            else:
                content = self._ids(message["role"] + "\n" + message["content"])
                ids += [IM_START_ID, *content, IM_END_ID, *self.newline]
                kinds += [CONTEXT] * (len(content) + 2 + len(self.newline))
                if len(ids) > length:
                    break
        return (ids[:fitting], kinds[:fitting]) if fitting else (ids + [PAD_ID] * length, kinds)

    def _plain(self, turns: list[tuple[str, str]], text: str = ""):
        prompt, answer = self._ids(skills.plain_prompt(turns, text)), self._ids(" " + turns[-1][1])
        bos = [BOS_ID] if self.rng.random() < 0.85 else []
        ids = bos + prompt + answer + [IM_END_ID]
        return ids, [NO_LOSS] * len(bos) + [CONTEXT] * len(prompt) + [ANSWER] * (len(answer) + 1)


# Share of the batches per row length, from short to long: (until this progress, shares of LENGTHS).
LENGTHS = (128, 256, 512, 1024, 2048, 4096)
CURRICULUM = [
    (0.12, (0.40, 0.40, 0.20, 0.00, 0.00, 0.00)),
    (0.25, (0.25, 0.25, 0.30, 0.20, 0.00, 0.00)),
    (0.45, (0.25, 0.15, 0.20, 0.20, 0.20, 0.00)),
    (1.01, (0.27, 0.13, 0.12, 0.13, 0.25, 0.10)),
]


class Batches(torch.utils.data.IterableDataset):
    """Endless batches of `batch_tokens` tokens; all rows of a batch have one length, chosen by training progress."""

    def __init__(self, tokenizer_json: str, batch_tokens: int, seed: int, length_max: int, progress):
        self.tokenizer_json, self.batch_tokens, self.seed = tokenizer_json, batch_tokens, seed
        self.length_max, self.progress = length_max, progress

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng = Random(f"rows {self.seed} {worker.id if worker else 0}")
        maker = RowMaker(Tokenizer.from_str(self.tokenizer_json), rng)
        while True:
            shares = next(shares for until, shares in CURRICULUM if self.progress.value < until)
            length = min(rng.choices(LENGTHS, shares)[0], self.length_max)
            count = max(1, self.batch_tokens // length)
            ids = np.full((count, length), PAD_ID, dtype=np.int16)
            kinds = np.zeros((count, length), dtype=np.int8)
            for index in range(count):
                row, row_kinds = maker.row(length)
                ids[index, :len(row)] = row
                kinds[index, :len(row)] = row_kinds
            yield torch.from_numpy(ids), torch.from_numpy(kinds)


# ---------------------------------------------------------------------------------------------------------------------
# Model: Llama, with the parameter names of transformers
# ---------------------------------------------------------------------------------------------------------------------

class RmsNorm(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, CONFIG["rms_norm_eps"])


def rotate(x, cos, sin):
    """Rotary position embedding, halves convention: x is [batch, heads, tokens, head_dim]."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        hidden, head = CONFIG["hidden_size"], CONFIG["head_dim"]
        self.q_proj = nn.Linear(hidden, CONFIG["num_attention_heads"] * head, bias=False)
        self.k_proj = nn.Linear(hidden, CONFIG["num_key_value_heads"] * head, bias=False)
        self.v_proj = nn.Linear(hidden, CONFIG["num_key_value_heads"] * head, bias=False)
        self.o_proj = nn.Linear(CONFIG["num_attention_heads"] * head, hidden, bias=False)

    def forward(self, x, cos, sin):
        batch, tokens, _ = x.shape
        q, k, v = (projection(x).view(batch, tokens, -1, CONFIG["head_dim"]).transpose(1, 2)
                   for projection in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        queries_per_key = CONFIG["num_attention_heads"] // CONFIG["num_key_value_heads"]
        k, v = k.repeat_interleave(queries_per_key, 1), v.repeat_interleave(queries_per_key, 1)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(out.transpose(1, 2).reshape(batch, tokens, -1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate_proj = nn.Linear(CONFIG["hidden_size"], CONFIG["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(CONFIG["hidden_size"], CONFIG["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(CONFIG["intermediate_size"], CONFIG["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm = RmsNorm(CONFIG["hidden_size"])
        self.self_attn = Attention()
        self.post_attention_layernorm = RmsNorm(CONFIG["hidden_size"])
        self.mlp = Mlp()

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(CONFIG["vocab_size"], CONFIG["hidden_size"])
        self.model.layers = nn.ModuleList(Layer() for _ in range(CONFIG["num_hidden_layers"]))
        self.model.norm = RmsNorm(CONFIG["hidden_size"])
        head = CONFIG["head_dim"]
        frequencies = CONFIG["rope_theta"] ** -(torch.arange(0, head, 2) / head)
        angles = torch.outer(torch.arange(CONFIG["max_position_embeddings"]), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                writes_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                scale = 1 / math.sqrt(2 * CONFIG["num_hidden_layers"]) if writes_residual else 1.0
                nn.init.normal_(parameter, std=CONFIG["initializer_range"] * scale)

    def hidden(self, ids):
        """The final hidden states; logits are their products with the (tied) embedding."""
        x = self.model.embed_tokens(ids)
        cos, sin = self.cos[:ids.shape[1]], self.sin[:ids.shape[1]]
        for layer in self.model.layers:
            x = layer(x, cos, sin)
        return self.model.norm(x)


def loss_of(hidden, embedding, targets, kinds, context_weight: float):
    """Weighted mean over targets (answers count 1, context `context_weight`), and the mean over answers alone."""
    logits = F.linear(hidden, embedding).float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    answers = (kinds.flatten() == ANSWER).float()
    weights = answers + context_weight * (kinds.flatten() == CONTEXT).float()
    return (losses * weights).sum() / weights.sum().clamp(min=1), (losses * answers).sum() / answers.sum().clamp(min=1)


# ---------------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------------

def learning_rate(progress: float, step: int, peak: float) -> float:
    return peak * min(1.0, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def train(model: Llama, tokenizer: Tokenizer, args) -> dict:
    device = next(model.parameters()).device
    on_gpu = device.type == "cuda"
    progress = Value("d", args.start_progress)
    batches = torch.utils.data.DataLoader(
        Batches(tokenizer.to_str(), args.batch_tokens, args.seed, args.length_max, progress), batch_size=None,
        num_workers=args.workers, prefetch_factor=4 if args.workers else None, pin_memory=on_gpu)
    loss_function = loss_of
    if args.compile:
        torch._dynamo.config.cache_size_limit = 64
        for layer in model.model.layers:
            layer.compile(dynamic=False)
        loss_function = torch.compile(loss_of, dynamic=False)
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
                                  lr=args.learning_rate, betas=(0.9, 0.98), fused=on_gpu)
    started, step, tokens, recent = time.time(), 0, 0, {}
    for ids, kinds in batches:
        done = max((time.time() - started) / (60 * args.minutes), step / args.steps)
        if done >= 1:
            break
        progress.value = args.start_progress + (1 - args.start_progress) * done
        ids, kinds = ids.to(device, non_blocking=True).long(), kinds.to(device, non_blocking=True)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(done, step, args.learning_rate)
        # The position after the last token has no target: the row is kept whole so that shapes stay round.
        targets, target_kinds = ids.roll(-1, 1), kinds.roll(-1, 1)
        target_kinds[:, -1] = NO_LOSS
        with torch.autocast(device.type, torch.bfloat16):
            loss, answer_loss = loss_function(model.hidden(ids), model.model.embed_tokens.weight, targets, target_kinds,
                                              args.context_weight)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        tokens += ids.numel()
        recent.setdefault(ids.shape[1], []).append(answer_loss.detach())
        if step % args.report_every == 0:
            answers = "  ".join(f"{length}: {torch.stack(values).mean().item():.4f}" for length, values in sorted(recent.items()))
            seconds = time.time() - started
            print(f"step {step:6d}  {seconds:5.0f} s  {done:4.0%}  {tokens / seconds / 1e6:.2f} M tokens/s  answer loss  {answers}",
                  flush=True)
            recent = {}
    print(f"trained {step} steps, {tokens / 1e6:.0f} M tokens, {(time.time() - started) / 60:.1f} minutes", flush=True)
    return {"steps": step, "tokens": tokens, "minutes": round((time.time() - started) / 60, 2)}


# ---------------------------------------------------------------------------------------------------------------------
# Export
# ---------------------------------------------------------------------------------------------------------------------

def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def export_tokenizer(tokenizer: Tokenizer, out: Path) -> None:
    tokenizer.save(str(out / "tokenizer.json"))
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS, "eos_token": IM_END, "pad_token": PAD,
        "additional_special_tokens": [IM_START],
        "model_max_length": CONFIG["max_position_embeddings"],
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": {
            str(index): {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                         "special": True} for index, token in enumerate(SPECIAL_TOKENS)},
        "chat_template": CHAT_TEMPLATE,
    })
    write_json(out / "special_tokens_map.json", {
        "bos_token": BOS, "eos_token": IM_END, "pad_token": PAD, "additional_special_tokens": [IM_START]})


def export_model(model: Llama, out: Path) -> None:
    write_json(out / "config.json", CONFIG)
    write_json(out / "generation_config.json", {
        "bos_token_id": BOS_ID, "eos_token_id": IM_END_ID, "pad_token_id": PAD_ID, "do_sample": False})
    weights = {name: parameter.detach().to("cpu", torch.bfloat16).contiguous() for name, parameter in model.named_parameters()}
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})


def check_template(tokenizer: Tokenizer, folder: Path) -> None:
    """The rows trained on are, token by token, what the exported chat template renders."""
    from transformers import AutoTokenizer
    exported = AutoTokenizer.from_pretrained(folder)
    rng = Random("template")
    maker = RowMaker(tokenizer, rng)
    for length in (128, 512, 2048) * 5:
        document = skills.Document(rng, length // 2)
        chat = skills.document_chat(rng, document, [document.turn(), skills.skill_turn(rng), document.turn()])
        rendered = exported.apply_chat_template(chat, return_dict=False)
        assert rendered == maker._chat(chat, 1 << 20)[0], "training rows differ from the chat template"
        asked = exported.apply_chat_template(chat[:-1], add_generation_prompt=True, return_dict=False)
        assert rendered[:len(asked)] == asked, "the generation prompt is no prefix of the answered chat"
    text = "Grüße, 東京! \u0000\t 🦉 <|no token|> 12345\r\n  x"
    assert exported.decode(exported(text, add_special_tokens=False)["input_ids"]) == text, "the tokenizer loses text"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for the exported files")
    parser.add_argument("--minutes", type=float, default=8.0, help="training time; the learning rate follows the clock")
    parser.add_argument("--steps", type=int, default=1_000_000, help="most steps, if the clock does not end it earlier")
    parser.add_argument("--batch-tokens", type=int, default=65536)
    parser.add_argument("--length-max", type=int, default=CONFIG["max_position_embeddings"])
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--context-weight", type=float, default=0.03, help="loss weight of tokens that are no answers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=14, help="processes that generate text")
    parser.add_argument("--report-every", type=int, default=200)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--tokenizer", type=Path, help="use this tokenizer.json instead of training one")
    parser.add_argument("--resume", type=Path, help="begin with the weights of this exported folder")
    parser.add_argument("--start-progress", type=float, default=0.0, help="where in the length curriculum to begin (0 to 1)")
    parser.add_argument("--evaluate", type=int, default=200, help="held-out prompts per skill after export; 0 for none")
    parser.add_argument("--tiny", action="store_true", help="a few small steps on any machine")
    args = parser.parse_args()
    if args.tiny:
        args.steps, args.batch_tokens, args.workers, args.compile, args.report_every = 6, 2048, 2, False, 2
        args.length_max, args.evaluate = 512, min(args.evaluate, 2)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    tokenizer = (Tokenizer.from_file(str(args.tokenizer)) if args.tokenizer
                 else train_tokenizer(args.seed, 500 if args.tiny else 20000))
    export_tokenizer(tokenizer, args.out)
    check_template(tokenizer, args.out)
    model = Llama()
    print(f"vocabulary {tokenizer.get_vocab_size()}, {sum(p.numel() for p in model.parameters()):,} parameters, on {device}",
          flush=True)
    if args.resume:
        model.load_state_dict(load_file(args.resume / "model.safetensors"))
    model.to(device)
    record = train(model, tokenizer, args)
    export_model(model, args.out)
    print(json.dumps(record))
    if args.evaluate:
        from evaluate import evaluate
        evaluate(args.out, args.evaluate, device)


if __name__ == "__main__":
    main()
