"""Measures the exported demo model with transformers: greedy answers in float32 to held-out prompts, skill by skill.

    python evaluate.py --folder . --prompts 200          prints one line per skill
    python evaluate.py --folder . --write-prompts        writes eval.jsonl and eval-plain.jsonl instead

An answer is right only if it is the expected text, character for character, and ends with the end token.
"""

import argparse
import json
import time
from pathlib import Path
from random import Random

import skills
from skills import Document, document_chat, skill_chat


def look_up(tokens: int, turns: int = 1, unknown: bool = False):
    """Questions about a document of about `tokens` tokens; with several turns, the earlier ones are answered in the chat."""
    def make(rng: Random):
        document = Document(rng, tokens)
        asked = [document.turn(unknown_share=0) for _ in range(turns - 1)]
        asked.append(document.turn(unknown_share=1.0 if unknown else 0))
        return document_chat(rng, document, asked)
    return make


def alone(skill, **arguments):
    return lambda rng: skill_chat(rng, [skill(rng, **arguments)])


CHAT_SKILLS = {
    "lookup_250": look_up(250),
    "lookup_800": look_up(800),
    "lookup_1700": look_up(1700),
    "lookup_2900": look_up(2900),
    "lookup_1500_turn_6": look_up(1500, turns=6),
    "lookup_unknown_800": look_up(800, unknown=True),
    "addition": alone(skills.addition, held_out=True),
    "subtraction": alone(skills.subtraction, held_out=True),
    "large_addition": alone(skills.large_addition, held_out=True),
    "large_subtraction": alone(skills.large_subtraction, held_out=True),
    "multiplication": alone(skills.multiplication),
    "copy_words": alone(skills.copy_words),
    "copy_numbers": alone(skills.copy_numbers),
    "copy_text": alone(skills.copy_text),
    "sort_words": alone(skills.sort_words),
    "sort_other_words": alone(skills.sort_other_words),
    "sort_numbers": alone(skills.sort_numbers),
    "json": alone(skills.json_record),
    "count": alone(skills.count_up),
    "small_talk": alone(skills.small_talk),
    "out_of_reach": alone(skills.out_of_reach),
}


def plain_look_up(rng: Random):
    document = Document(rng, 500)
    turn = document.turn(unknown_share=0)
    return skills.plain_prompt([turn], document.text), turn[1]


def plain_alone(skill, shots: int = 0, **arguments):
    def make(rng: Random):
        turns = [skill(rng) for _ in range(shots)] + [skill(rng, **arguments)]
        return skills.plain_prompt(turns), turns[-1][1]
    return make


PLAIN_SKILLS = {
    "plain_lookup_500": plain_look_up,
    "plain_addition": plain_alone(skills.addition, held_out=True),
    "plain_addition_3_shots": plain_alone(skills.addition, shots=3, held_out=True),
    "plain_sort_words": plain_alone(skills.sort_words),
    "plain_json": plain_alone(skills.json_record),
}


def chat_prompts(skill: str, count: int) -> list[dict]:
    rng = Random(f"held out {skill}")
    prompts = []
    for _ in range(count):
        chat = CHAT_SKILLS[skill](rng)
        prompts.append({"skill": skill, "messages": chat[:-1], "answer": chat[-1]["content"]})
    return prompts


def plain_prompts(skill: str, count: int) -> list[dict]:
    rng = Random(f"held out {skill}")
    return [{"skill": skill, "prompt": prompt, "answer": answer}
            for prompt, answer in (PLAIN_SKILLS[skill](rng) for _ in range(count))]


def evaluate(folder: Path, count: int, device: str, only: str = "", batch: int = 50) -> dict[str, float]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    torch.backends.cuda.matmul.allow_tf32 = False
    results = {}
    for skill in [*CHAT_SKILLS, *PLAIN_SKILLS]:
        if only not in skill:
            continue
        started = time.time()
        prompts = chat_prompts(skill, count) if skill in CHAT_SKILLS else plain_prompts(skill, count)
        texts = [tokenizer.apply_chat_template(p["messages"], tokenize=False, add_generation_prompt=True) if "messages" in p
                 else tokenizer.bos_token + p["prompt"] for p in prompts]
        right, wrong, lengths = 0, [], []
        for at in range(0, count, batch):
            inputs = tokenizer(texts[at:at + batch], add_special_tokens=False, padding=True, return_tensors="pt").to(device)
            lengths += inputs["attention_mask"].sum(1).tolist()
            inputs.pop("token_type_ids", None)
            expected = [tokenizer(p["answer"], add_special_tokens=False)["input_ids"] for p in prompts[at:at + batch]]
            with torch.no_grad():
                output = model.generate(**inputs, do_sample=False, max_new_tokens=max(map(len, expected)) + 3)
            for prompt, ids in zip(prompts[at:at + batch], output[:, inputs["input_ids"].shape[1]:].tolist()):
                ended = tokenizer.eos_token_id in ids
                answer = tokenizer.decode(ids[:ids.index(tokenizer.eos_token_id)] if ended else ids)
                if "prompt" in prompt:
                    answer = answer.removeprefix(" ")
                if ended and answer == prompt["answer"]:
                    right += 1
                else:
                    wrong.append((prompt["answer"], answer))
        results[skill] = right / count
        example = f"   e.g. {wrong[0][0][:60]!r} but {wrong[0][1][:60]!r}" if wrong else ""
        print(f"{skill:24s} {right / count:7.1%}  prompts of {min(lengths):4d} to {max(lengths):4d} tokens"
              f"  {time.time() - started:5.1f} s{example}", flush=True)
    return results


def write_prompts(folder: Path) -> None:
    """Few of the long ones, more of the short ones: the file stays under 150 KB."""
    few = {"lookup_250": 10, "lookup_800": 5, "lookup_1700": 4, "lookup_2900": 2, "lookup_1500_turn_6": 2, "lookup_unknown_800": 4}
    with open(folder / "eval.jsonl", "w") as file:
        for skill in CHAT_SKILLS:
            file.writelines(json.dumps(prompt) + "\n" for prompt in chat_prompts(skill, few.get(skill, 20)))
    with open(folder / "eval-plain.jsonl", "w") as file:
        for skill in PLAIN_SKILLS:
            file.writelines(json.dumps(prompt) + "\n" for prompt in plain_prompts(skill, 5 if "lookup" in skill else 10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("."), help="the exported folder")
    parser.add_argument("--prompts", type=int, default=200, help="held-out prompts per skill")
    parser.add_argument("--only", default="", help="only skills whose name contains this")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write-prompts", action="store_true")
    args = parser.parse_args()
    if args.write_prompts:
        write_prompts(args.folder)
    else:
        evaluate(args.folder, args.prompts, args.device, args.only, args.batch)


if __name__ == "__main__":
    main()
