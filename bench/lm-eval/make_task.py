"""Makes kvasir_demo.jsonl, a small multiple-choice task, out of the demo model's held-out plain-text prompts.

Each item's choices are its right answer and three wrong answers of other items of the same skill, so that a score means
something only if log-probabilities of whole continuations are right.

    python make_task.py ../../model/demo/eval-plain.jsonl kvasir_demo.jsonl
"""
import collections
import json
import random
import sys


def main(source: str, target: str, per_skill: int = 12) -> None:
    items = [json.loads(line) for line in open(source, encoding="utf-8")]
    by_skill = collections.defaultdict(list)
    for item in items:
        by_skill[item["skill"]].append(item)
    rng = random.Random(7)
    with open(target, "w", encoding="utf-8") as out:
        for skill, group in sorted(by_skill.items()):
            answers = sorted({item["answer"] for item in group})
            for item in group[:per_skill]:
                wrong = [a for a in answers if a != item["answer"]]
                choices = rng.sample(wrong, min(3, len(wrong))) + [item["answer"]]
                rng.shuffle(choices)
                row = {"skill": skill, "prompt": item["prompt"], "choices": choices,
                       "label": choices.index(item["answer"])}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
