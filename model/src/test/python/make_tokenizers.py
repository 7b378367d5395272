"""Trains tiny tokenizers, one per style, and writes what Hugging Face's tokenizers says about awkward texts.

Usage: python make_tokenizers.py [folder], by default ../resources/tokenizers. The output is reproducible.
"""

import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WORDS = """the quick brown fox jumps over a lazy dog while seven wizards measure packets of prefix blocks and tokens
stream back to clients who asked about keys values numbers names dates colours and small sorted lists in JSON form
Il était une fois un roi; там жил-был кот; 東京タワーは高い; emoji 😀 family 👩‍👩‍👧 flag 🇫🇷 zero 0 one 1 two 22 three 333
def function(self, x): return x + 1 # comment  { "key": [1, 2.5, true, null] } it's don't we're I'll you've he'd I'm""".split(" ")

TEXTS = [
    "", " ", "Hello, world!", " leading and trailing ", "two  spaces   three    four", "tabs\tand\nnewlines\r\n\r\n",
    "\n\n\n", "12345 67 890.12", "don't we're I'll", "été e\u0301te\u0301 n\u0303", "日本語のテキスト", "Привет, мир",
    "😀", "👩‍👩‍👧‍👦 🇫🇷 🏳️‍🌈", "a\u202eb\u202cc", "nul\u0000inside", "\u0000", "\ufeffbom", "zero\u200bwidth", "\u00a0nbsp\u3000wide",
    "a" * 300, " " * 100, "\U0010ffff\U000f0000", "\ufffd", "▁metaspace▁already", "Ġbyte Ċletters", "<0xE2>", "<|im_start|>user\nhi<|im_end|>",
    "<s>[INST] x [/INST]</s>", "<|im_start", "|im_end|><|im_end|>", "x<|im_end|> y", "<tool>\n</tool>", "<unk>", "مرحبا بالعالم", "हिन्दी पाठ", "ﬁ ligature ①²",
    '{"a": [1, 2.5, null], "b": "c"}', "def f(x):\n    return x ** 2\n\n\nclass A:\n\tpass\n", "\\u0041 \\n", "CamelCase snake_case kebab-case",
]


def corpus():
    chosen = random.Random(7)
    for _ in range(400):
        yield " ".join(chosen.choice(WORDS) for _ in range(chosen.randint(3, 30)))


CHAT = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=600, special_tokens=CHAT, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("</tool>", normalized=False), AddedToken("  ", normalized=False)])
    return t, {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": {"content": "<|endoftext|>", "special": True}}


def metaspace():
    """As Llama 2: a sentencepiece vocabulary, unknown characters as bytes, control tokens within the vocabulary."""
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, limit_alphabet=70, show_progress=False))
    learned = json.loads(trained.to_str())["model"]
    t.model = models.BPE(
        vocab=learned["vocab"], merges=[tuple(m) for m in learned["merges"]],
        unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    t.add_special_tokens([AddedToken(x, normalized=False, special=True) for x in special[:3]])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t, {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "unk_token": "<unk>"}


def regex_split():
    """As Qwen 2: normalised to NFC, split by a regular expression, then byte-level."""
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
            behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.add_special_tokens(CHAT)
    t.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("</tool>", normalized=False)])
    return t, {"bos_token": None, "eos_token": "<|im_end|>"}


def unigram():
    """As T5 and other sentencepiece unigram vocabularies: pieces with scores, Metaspace on both sides."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(corpus(), trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t, {"eos_token": "</s>", "unk_token": "<unk>"}


def word_piece():
    """As BERT."""
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t, {"unk_token": "[UNK]"}


def expected(t):
    chosen = random.Random(11)
    size = t.get_vocab_size()
    sequences = [[chosen.randrange(size) for _ in range(chosen.randint(1, 40))] for _ in range(60)]
    # Sequences in which single bytes meet: the ids of one-byte pieces alone.
    single = [i for i in range(size) if len(t.id_to_token(i)) == 1 or t.id_to_token(i).startswith("<0x")]
    sequences += [[chosen.choice(single) for _ in range(chosen.randint(1, 12))] for _ in range(60)]
    return {
        "vocabulary_size": size,
        "encodings": [{"text": text, "ids": t.encode(text, add_special_tokens=False).ids, "with_special": t.encode(text).ids}
                      for text in TEXTS],
        "decodings": [{"ids": ids, "text": t.decode(ids, skip_special_tokens=False), "skipped": t.decode(ids)}
                      for ids in sequences + [t.encode(text).ids for text in TEXTS]],
    }


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "resources/tokenizers")
    for make in (byte_level, metaspace, regex_split, unigram, word_piece):
        t, config = make()
        target = folder / make.__name__.replace("_", "-")
        target.mkdir(parents=True, exist_ok=True)
        (target / "tokenizer.json").write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False) + "\n")
        (target / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
        (target / "expected.json").write_text(json.dumps(expected(t), ensure_ascii=True, separators=(",", ":")) + "\n")
        print(target.name, t.get_vocab_size(), (target / "tokenizer.json").stat().st_size)


if __name__ == "__main__":
    main()
