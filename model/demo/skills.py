"""The demo model's world: word lists, and generators of conversations whose right answers are known.

Everything the model ever reads is made here from a seeded `random.Random`; there is no other training text.
A *turn* is one (question, answer) pair. A *document* is a text of facts that knows its own questions.
A *sample* is either a chat (list of messages, each {"role", "content"}) or a plain text with its answer.
"""

import json
import zlib
from random import Random

UNKNOWN = "I do not know."

NAMES = """Ada Adam Agnes Albert Alice Alma Amir Anders Anna Anton Arne Asta Aziz Bela Berta Bjorn Bo Boris Bruno Carl
Carmen Cora Dana Daniel Darius Dina Dora Edgar Edith Elias Ella Elsa Emil Emma Erik Esther Eva Fatima Felix Finn Flora
Frank Freya Georg Gerda Greta Gustav Hanna Hans Hassan Heidi Helga Henrik Hugo Ida Igor Ines Inga Iris Ivan Jakob Jana
Jens Johan Jonas Julia Kai Karin Karl Kira Klara Kurt Lars Laura Lea Lena Leo Lina Lotte Lucas Lucia Magnus Maja Marco
Maria Marta Martin Max Milo Mina Mira Mona Nadia Nils Nina Nora Olaf Olga Oscar Otto Paul Pavel Petra Pia Rosa Ruben
Ruth Samir Sara Selma Signe Simon Sofia Sonja Sven Tara Theo Thomas Tilda Tom Ulla Vera Viktor Viola Walter Wanda Yara
Yusuf Zoe""".split()
ITEMS = """anchor apron axe bag basket bell blanket book boot bottle bowl box brush bucket candle chair clock coat comb
cup desk drum fan flute fork glove hammer harp hat helmet jar kettle key kite knife ladder lamp map mask mirror mug
needle oar pan pen pillow plate pot ring rope ruler saddle scarf shovel spoon stool sword table tent trumpet umbrella
vase violin wallet whistle""".split()
COLOURS = "amber black blue brown copper cream gold green grey olive orange pink purple red silver teal violet white yellow".split()
PLACES = """attic barn basement bakery boathouse cabin cave cellar chapel closet corridor courtyard den forge garage garden
granary greenhouse hall harbour hut kitchen larder library loft mill museum nursery office orchard pantry pavilion porch
shed stable station studio tower vault workshop""".split()
CITIES = """Athens Bergen Berlin Bern Bilbao Bremen Brno Cairo Cork Delhi Dresden Dublin Gdansk Geneva Ghent Graz Hamburg
Helsinki Kyoto Leeds Leipzig Lima Linz Lisbon Lyon Madrid Malmo Milan Munich Nantes Naples Odense Oslo Paris Porto Prague
Quito Riga Rome Seville Sofia Tallinn Tartu Tokyo Turin Turku Uppsala Venice Vienna Warsaw York Zagreb Zurich""".split()
JOBS = """actor baker barber butcher carpenter chemist clerk cook dancer dentist doctor driver farmer fisher gardener guard
judge lawyer mason miner nurse painter pilot plumber poet potter sailor singer smith tailor teacher weaver""".split()
FRUITS = "apple apricot banana cherry coconut date fig grape guava kiwi lemon lime mango melon papaya peach pear plum quince raisin".split()
ANIMALS = """badger bear beaver camel cat crow deer dog donkey duck eagle falcon ferret fox frog goat goose hamster hare hen
horse lizard mole mouse otter owl parrot pig rabbit raven seal sheep snail spider swan tiger toad turtle wolf zebra""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
THINGS = """answer brother captain car colour count doctor door flag friend goal house leader letter mother motto name neighbour
nickname number owner password place plan pin prize secret ship sign sister song team teacher title town village word""".split()
COMMON = """about again all and any are ask bad because best big blue boat book bread bring build but buy call can car change
cheese clean cloud cold come computer could country cut day deep do dog door down draw dream drink drive earth easy eat end
every fast father find fine fire fish fly food for from funny game get give go good great green had hand happy hard has have
he hear heart help her here high his home hope hot house how if in into is it jump just keep kind know lake language large
last late learn leave left letter life light like line little live long look love machine make many maybe me mean moon more
morning mother mountain move much music my name near need never new news next nice night no not now number ocean of off ok
old on once one open or other our out over page paper people perhaps play please point program question quick rain read
really red rest right river road round run sad say school sea see sell send she show sing sit sky sleep slow small snow some
song soon spring star stay stone stop story street strong summer sun sure swim system table take talk tell test than that
the their them then there they thing think this time to today tomorrow too town tree true try turn two under understand
until up us use very wait walk want warm was water way we weather week well what when where which white who why wind window
winter with word work world would write year yes yesterday you young your""".split()
LIST_WORDS = sorted(set(ITEMS + FRUITS + ANIMALS + COLOURS))

SYSTEM_PROMPTS = [
    "You are a helpful assistant.",
    "You are the Kvasir demo model.",
    "You are a helpful assistant. Answer briefly.",
    "Answer the question of the user.",
    "Be brief and exact.",
]


def invented_word(rng: Random) -> str:
    """A pronounceable word outside the lists, so that the model learns to copy and not only to recognise."""
    syllables = rng.randint(2, 3)
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") + rng.choice(["", "", "l", "n", "r", "x"])
                   for _ in range(syllables))


def mostly(words: list[str], rng: Random, invented: float = 0.1) -> str:
    """Usually a word of the list, sometimes an invented one (capitalised if the list is)."""
    if rng.random() >= invented:
        return rng.choice(words)
    word = invented_word(rng)
    return word.capitalize() if words[0][0].isupper() else word


def casual(rng: Random, question: str) -> str:
    """Now and then the question as a hurried user types it: no capital at the start, no mark at the end, American colour."""
    if rng.random() < 0.15:
        question = question[0].lower() + question[1:]
    if rng.random() < 0.12:
        question = question.rstrip("?.!").rstrip()
    if rng.random() < 0.1:
        question = question.replace("colour", "color")
    return question


# ---------------------------------------------------------------------------------------------------------------------
# Documents of facts
# ---------------------------------------------------------------------------------------------------------------------

def _digits(rng: Random, count: int) -> str:
    return str(rng.randint(10 ** (count - 1), 10 ** count - 1))


def _anything(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        return _digits(rng, rng.randint(1, 6))
    return mostly(rng.choice([NAMES, CITIES, LIST_WORDS]), rng, 0.4)


# One entry per relation: how the value is drawn, how the fact is stated, how it is asked. {n} is the owner, {i} an
# item, {p} a place, {v} the value and {av} the value with its article.
RELATIONS = {
    "code": (lambda rng: _digits(rng, 4),
             ["The access code of {n} is {v}.", "{n} has the access code {v}."],
             ["What is the access code of {n}?", "Which access code does {n} have?", "Tell me the access code of {n}.",
              "What is {n}'s access code?"]),
    "locker": (lambda rng: _digits(rng, 3),
               ["The locker number of {n} is {v}.", "{n} has locker number {v}.", "{n} uses locker {v}."],
               ["What is the locker number of {n}?", "Which locker does {n} use?", "What is {n}'s locker number?"]),
    "age": (lambda rng: _digits(rng, 2),
            ["The age of {n} is {v}.", "{n} is {v} years old."],
            ["How old is {n}?", "What is the age of {n}?"]),
    "city": (lambda rng: mostly(CITIES, rng),
             ["{n} lives in {v}.", "The home city of {n} is {v}."],
             ["Where does {n} live?", "In which city does {n} live?", "What is the home city of {n}?"]),
    "job": (lambda rng: mostly(JOBS, rng),
            ["{n} works as {av}.", "The job of {n} is {v}."],
            ["What is the job of {n}?", "What does {n} work as?", "What is {n}'s job?"]),
    "fruit": (lambda rng: mostly(FRUITS, rng),
              ["The favourite fruit of {n} is {v}.", "{n} likes the fruit {v} most."],
              ["What is the favourite fruit of {n}?", "Which fruit does {n} like most?"]),
    "pet": (lambda rng: mostly(ANIMALS, rng),
            ["The pet of {n} is {av}.", "{n} has a pet {v}."],
            ["What is the pet of {n}?", "Which pet does {n} have?", "What pet does {n} have?"]),
    "colour": (lambda rng: rng.choice(COLOURS),
               ["The colour of the {i} of {n} is {v}.", "The {i} of {n} is {v}.", "{n}'s {i} is {v}."],
               ["What is the colour of the {i} of {n}?", "What colour is the {i} of {n}?", "What colour is {n}'s {i}?"]),
    "place": (lambda rng: mostly(PLACES, rng),
              ["The {i} of {n} is stored in the {v}.", "{n} keeps the {i} in the {v}.", "{n}'s {i} is in the {v}."],
              ["Where is the {i} of {n} stored?", "Where does {n} keep the {i}?", "Where is the {i} of {n}?",
               "Where is {n}'s {i}?"]),
    "price": (lambda rng: _digits(rng, 2),
              ["The {i} of {n} costs {v} coins.", "The price of the {i} of {n} is {v} coins."],
              ["What is the price of the {i} of {n}?", "How many coins does the {i} of {n} cost?"]),
    "stored": (lambda rng: mostly(PLACES, rng),
               ["The {i} is stored in the {v}.", "The {i} is kept in the {v}."],
               ["Where is the {i} stored?", "Where is the {i}?", "Where is the {i} kept?"]),
    "room": (lambda rng: _digits(rng, 4),
             ["The access code of the {p} is {v}.", "The {p} has the access code {v}."],
             ["What is the access code of the {p}?", "Which access code does the {p} have?"]),
    "thing": (lambda rng: _anything(rng),
              ["The {i} is {v}."],
              ["What is the {i}?", "Tell me the {i}."]),
    "thing_of": (lambda rng: _anything(rng),
                 ["The {i} of {n} is {v}.", "{n}'s {i} is {v}."],
                 ["What is the {i} of {n}?", "What is {n}'s {i}?", "Tell me the {i} of {n}."]),
}
_RELATION_NAMES = list(RELATIONS)

FILLERS = [
    lambda rng: f"It rained in {rng.choice(CITIES)} on {rng.choice(DAYS)}.",
    lambda rng: f"The road to {rng.choice(CITIES)} was long.",
    lambda rng: f"On {rng.choice(DAYS)} the market was busy.",
    lambda rng: f"A {rng.choice(ANIMALS)} crossed the road near {rng.choice(CITIES)}.",
    lambda rng: f"Nobody spoke about the {rng.choice(ANIMALS)} again.",
    lambda rng: f"The {rng.choice(JOBS)} arrived late on {rng.choice(DAYS)}.",
    lambda rng: "The evening was calm and the sky was clear.",
    lambda rng: f"Somebody sold {_digits(rng, 2)} boxes of {rng.choice(FRUITS)} that week.",
]


class Document:
    """A text of facts with unique keys, and questions about them. The text has about `tokens` tokens."""

    TOKENS_PER_SENTENCE = 9

    def __init__(self, rng: Random, tokens: int):
        self.rng = rng
        self.facts: dict[tuple, str] = {}
        sentences = max(1, round(tokens / self.TOKENS_PER_SENTENCE))
        filler_share = rng.choice([0.0, 0.0, 0.15, 0.3])
        invented = rng.choice([0.0, 0.0, 0.1, 0.5])
        owner_count = rng.randint(max(1, sentences // 6), max(2, sentences))
        self.owners = [mostly(NAMES, rng, invented) for _ in range(owner_count)]
        self.relations = _RELATION_NAMES if rng.random() < 0.7 else rng.sample(_RELATION_NAMES, rng.randint(1, 4))
        lines = []
        for _ in range(sentences):
            if self.facts and rng.random() < filler_share:
                lines.append(rng.choice(FILLERS)(rng))
            else:
                lines.append(self._state_fact())
        self.text = self._lay_out(lines)

    def _draw_key(self) -> tuple:
        rng = self.rng
        relation = rng.choice(self.relations)
        owner = "" if relation in ("stored", "room", "thing") else rng.choice(self.owners)
        item = rng.choice(ITEMS) if relation in ("colour", "place", "price", "stored") else ""
        if relation in ("thing", "thing_of"):
            item = rng.choice(["", "", "secret ", "new ", "old "]) + rng.choice(THINGS)
        place = rng.choice(PLACES) if relation == "room" else ""
        return relation, owner, item, place

    def _state_fact(self) -> str:
        for _ in range(20):
            key = self._draw_key()
            if key not in self.facts:
                break
        else:  # this document's keys are used up: bring in a new person
            self.owners.append(self.rng.choice(NAMES))
            self.relations = _RELATION_NAMES
            return self._state_fact()
        draw, statements, _ = RELATIONS[key[0]]
        self.facts[key] = draw(self.rng)
        return self._fill(self.rng.choice(statements), key, self.facts[key])

    def _lay_out(self, lines: list[str]) -> str:
        style = self.rng.random()
        if style < 0.25:
            return "\n".join(lines)
        if style < 0.4:
            return "\n".join("- " + line for line in lines)
        if style < 0.6:
            return " ".join(lines)
        per_paragraph = self.rng.randint(3, 9)
        return "\n\n".join(" ".join(lines[at:at + per_paragraph]) for at in range(0, len(lines), per_paragraph))

    @staticmethod
    def _fill(template: str, key: tuple, value: str = "") -> str:
        _, owner, item, place = key
        article = "an" if value[:1] in tuple("aeiou") else "a"
        return template.format(n=owner, i=item, p=place, v=value, av=f"{article} {value}")

    def turn(self, unknown_share: float = 0.12) -> tuple[str, str]:
        """A question about this document; with probability `unknown_share` about a fact it does not state."""
        rng = self.rng
        if rng.random() < unknown_share:
            for _ in range(20):
                key = self._draw_key()
                if rng.random() < 0.3 and key[1]:
                    key = (key[0], rng.choice(NAMES), *key[2:])
                if key not in self.facts:
                    return self._ask(key), UNKNOWN
        key = rng.choice(list(self.facts))
        return self._ask(key), self.facts[key]

    def _ask(self, key: tuple) -> str:
        return casual(self.rng, self._fill(self.rng.choice(RELATIONS[key[0]][2]), key))


# ---------------------------------------------------------------------------------------------------------------------
# Skills that need no document: each returns one (question, answer)
# ---------------------------------------------------------------------------------------------------------------------

def is_held_out(problem: str) -> bool:
    """One sum in ten is never trained on, so that the evaluation measures arithmetic and not memory."""
    return zlib.crc32(problem.encode()) % 10 == 0


def _ask_sum(rng: Random, a: int, sign: str, b: int) -> str:
    word = {"+": "plus", "-": "minus", "*": "times"}[sign]
    if sign == "*" and rng.random() < 0.2:
        sign = "x"
    sum_text = rng.choice([f"{a} {sign} {b}", f"{a} {sign} {b}", f"{a}{sign}{b}"])
    return rng.choice([f"What is {sum_text}?", f"What is {sum_text}?", f"{sum_text} =", sum_text, f"Calculate {sum_text}.",
                       f"What is {a} {word} {b}?", f"How much is {sum_text}?", f"What's {sum_text}?", f"{sum_text}=",
                       f"{sum_text}?"])


def addition(rng: Random, held_out: bool = False, top: int = 99) -> tuple[str, str]:
    return _sum(rng, "+", held_out, top)


def subtraction(rng: Random, held_out: bool = False, top: int = 99) -> tuple[str, str]:
    return _sum(rng, "-", held_out, top)


def large_addition(rng: Random, held_out: bool = False) -> tuple[str, str]:
    return _sum(rng, "+", held_out, 999)


def large_subtraction(rng: Random, held_out: bool = False) -> tuple[str, str]:
    return _sum(rng, "-", held_out, 999)


def _sum(rng: Random, sign: str, held_out: bool, top: int) -> tuple[str, str]:
    top = top if rng.random() < 0.85 else 20
    while True:
        a, b = rng.randint(0, top), rng.randint(0, top)
        if sign == "-" and a < b and rng.random() < 0.7:
            a, b = b, a
        if is_held_out(f"{a}{sign}{b}") == held_out:
            return casual(rng, _ask_sum(rng, a, sign, b)), str(a + b if sign == "+" else a - b)


def multiplication(rng: Random, held_out: bool = False) -> tuple[str, str]:
    """The table up to 12 x 12 is small and is trained whole: nothing is held out of it but phrasing and context."""
    a, b = rng.randint(0, 12), rng.randint(0, 12)
    return casual(rng, _ask_sum(rng, a, "*", b)), str(a * b)


def _words(rng: Random, count: int) -> list[str]:
    return rng.sample(LIST_WORDS, count)


def _numbers(rng: Random, count: int) -> list[str]:
    top = rng.choice([20, 99, 99, 999])
    return [str(n) for n in rng.sample(range(top + 1), count)]


def _join(words: list[str]) -> str:
    return ", ".join(words)


def copy_words(rng: Random) -> tuple[str, str]:
    count = rng.randint(1, 10)
    kind = rng.random()
    if kind < 0.4:
        words = _words(rng, count)
    elif kind < 0.55:
        words = [rng.choice(NAMES + CITIES) for _ in range(count)]
    elif kind < 0.75:
        words = [mostly(COMMON, rng, 0.2) for _ in range(count)]
    else:
        words = [mostly(LIST_WORDS, rng, 0.6) for _ in range(count)]
    return _ask_copy(rng, _join(words) if rng.random() < 0.6 else " ".join(words))


def copy_numbers(rng: Random) -> tuple[str, str]:
    return _ask_copy(rng, _join(_numbers(rng, rng.randint(1, 8))))


def copy_text(rng: Random) -> tuple[str, str]:
    return _ask_copy(rng, " ".join(Document(rng, rng.choice([9, 18, 27, 45])).text.replace("- ", "").split()))


def _instruct(rng: Random, instructions: list[str], text: str) -> str:
    """An instruction and the text it is about; only the instruction may be typed carelessly."""
    instruction = rng.choice(instructions)
    if rng.random() < 0.15:
        instruction = instruction[0].lower() + instruction[1:]
    return (rng.choice(["Please ", "please "]) + instruction[0].lower() + instruction[1:] if rng.random() < 0.08
            else instruction) + text


def _ask_copy(rng: Random, text: str) -> tuple[str, str]:
    return _instruct(rng, ["Repeat: ", "Copy: ", "Copy this list: ", "Repeat after me: ", "Say: ", "Repeat this: ", "Say "],
                     text), text


def _shown(rng: Random, words: list[str]) -> str:
    return " ".join(words) if rng.random() < 0.1 else _join(words)


SORT_WORDS = ["Sort these words: ", "Sort alphabetically: ", "Sort the words alphabetically: ", "Sort: ", "Sort ",
              "Put these words in alphabetical order: "]
SORT_NUMBERS = ["Sort these numbers: ", "Sort: ", "Sort ", "Sort the numbers: ", "Put these numbers in order: "]
SORT_DOWN = ["Sort in descending order: ", "Sort these numbers in descending order: ", "Sort from high to low: "]


def sort_words(rng: Random) -> tuple[str, str]:
    count = rng.randint(2, 6)
    words = _words(rng, count) if rng.random() < 0.9 else rng.sample("abcdefghijklmnopqrstuvwxyz", count)
    return _instruct(rng, SORT_WORDS, _shown(rng, words)), _join(sorted(words))


def sort_other_words(rng: Random) -> tuple[str, str]:
    """Words outside the list of words to sort, invented ones among them: the hard case."""
    words = list(dict.fromkeys(mostly(COMMON, rng, 0.3) for _ in range(rng.randint(2, 5))))
    rng.shuffle(words)
    return _instruct(rng, SORT_WORDS, _shown(rng, words)), _join(sorted(words))


def sort_numbers(rng: Random) -> tuple[str, str]:
    numbers = rng.sample(range(100), rng.randint(2, 7))
    down = rng.random() < 0.2
    question = _instruct(rng, SORT_DOWN if down else SORT_NUMBERS, _shown(rng, [str(n) for n in numbers]))
    return question, _join([str(n) for n in sorted(numbers, reverse=down)])


JSON_FIELDS = {
    "name": lambda rng: mostly(NAMES, rng),
    "age": lambda rng: rng.randint(1, 99),
    "city": lambda rng: mostly(CITIES, rng),
    "job": lambda rng: mostly(JOBS, rng),
    "pet": lambda rng: rng.choice(ANIMALS),
    "fruit": lambda rng: rng.choice(FRUITS),
    "colour": lambda rng: rng.choice(COLOURS),
    "item": lambda rng: rng.choice(ITEMS),
    "place": lambda rng: rng.choice(PLACES),
    "code": lambda rng: int(_digits(rng, 4)),
    "price": lambda rng: rng.randint(1, 999),
    "count": lambda rng: rng.randint(0, 99),
}


def json_record(rng: Random) -> tuple[str, str]:
    if rng.random() < 0.25:
        record = {"name": mostly(NAMES, rng), "age": rng.randint(1, 99), "city": mostly(CITIES, rng)}
        question = rng.choice(["{name} is {age} years old and lives in {city}. Write JSON with name, age and city.",
                               "Write JSON with name, age and city: {name} is {age} years old and lives in {city}."])
        return question.format(**record), json.dumps(record)
    keys = rng.sample(list(JSON_FIELDS), rng.randint(1, 5))
    if rng.random() < 0.5:  # the most usual record begins with a name
        keys = ["name"] + [key for key in keys if key != "name"][:4]
    record = {key: JSON_FIELDS[key](rng) for key in keys}
    between, after = rng.choice([(" ", ", "), (" ", ", "), (": ", ", "), (" = ", "; "), (" = ", ", ")])
    text = after.join(f"{key}{between}{value}" for key, value in record.items()) + rng.choice(["", "", "", "."])
    return _instruct(rng, ["Write JSON for: ", "Write JSON for: ", "Write JSON for ", "Write json for: ", "JSON for: ",
                           "Write a JSON object for: ", "Turn this into JSON: ", "Give me JSON for: "], text), json.dumps(record)


def count_up(rng: Random) -> tuple[str, str]:
    first = rng.choice([1, 1, rng.randint(0, 100)])
    last = first + rng.randint(1, rng.choice([9, 20, 40, 60]))
    question = rng.choice(["Count from {} to {}.", "Count from {} to {}.", "Count up from {} to {}."]
                          + ["Count to {1}.", "Count up to {1}."] * (first == 1))
    return casual(rng, question.format(first, last)), _join([str(n) for n in range(first, last + 1)])


I_AM = "I am the Kvasir demo model, a very small language model made to try the Kvasir server."
I_CAN = ("I can answer questions about a text you give me, do small sums, copy and sort short lists, count, "
         "and write JSON. Try: What is 17 + 25?")
I_CANNOT = "I am a very small demo model and I cannot do that. " + I_CAN
CHAT = [
    (["Hello", "Hello!", "hello", "Hi", "Hi!", "hi", "Hey", "hey", "Hello there", "Hello there!", "Good morning", "Good morning!",
      "Good evening!", "Hello, how are you?", "Hi there!", "Greetings", "Hello, who are you?", "Hi, who are you?"], "Hello! I am the Kvasir demo model. " + I_CAN),
    (["Who are you?", "who are you?", "Who are you", "who are you", "What are you?", "Which model are you?", "What is your name?", "Tell me about yourself.",
      "Introduce yourself.", "Are you a language model?", "What model is this?"], I_AM + " " + I_CAN),
    (["What can you do?", "what can you do?", "What can you do", "Help", "help", "How can you help me?", "What can I ask you?", "What are your skills?"], I_CAN),
    (["What is Kvasir?", "what is kvasir?", "Tell me about Kvasir.", "What does Kvasir do?"],
     "Kvasir is a server for large language models that runs on the JVM. I am its demo model."),
    (["How are you?", "how are you?", "How do you do?"], "I am well, thank you. How can I help?"),
    (["Thanks", "Thanks!", "Thank you", "Thank you!", "thanks", "Thank you very much."], "You are welcome."),
    (["Bye", "Bye!", "Goodbye", "Goodbye!", "bye", "See you."], "Goodbye!"),
    (["Test", "test", "ping", "Ping", "Are you there?"], "I am here."),
]
CANNOT = [
    lambda rng: f"Write a poem about a {rng.choice(ANIMALS)}.",
    lambda rng: f"Write a story about {rng.choice(NAMES)}.",
    lambda rng: "Tell me a joke.",
    lambda rng: "Tell me a story.",
    lambda rng: f"Explain how a {rng.choice(ITEMS)} is made.",
    lambda rng: f"Translate {rng.choice(ITEMS)} into {rng.choice(['French', 'German', 'Spanish', 'Danish'])}.",
    lambda rng: f"Write a program in {rng.choice(['Java', 'Python', 'Rust', 'Go'])}.",
    lambda rng: f"What do you think about {rng.choice(CITIES)}?",
    lambda rng: f"How do I get to {rng.choice(CITIES)}?",
    lambda rng: f"What is the meaning of {rng.choice(['life', 'love', 'time'])}?",
]
DO_NOT_KNOW = [
    lambda rng: f"What is the capital of {rng.choice(['France', 'Spain', 'Norway', 'Italy', 'Japan', 'Peru', 'Germany', 'Poland'])}?",
    lambda rng: f"Who is {rng.choice(NAMES)}?",
    lambda rng: f"What is the weather in {rng.choice(CITIES)}?",
    lambda rng: "What time is it?",
    lambda rng: f"Who invented the {rng.choice(ITEMS)}?",
]


NOT_UNDERSTOOD = "I do not understand. " + I_CAN


def _babble(rng: Random, words: int) -> str:
    return " ".join(mostly(COMMON, rng, 0.15) for _ in range(words))


def _out_of_reach(rng: Random) -> tuple[str, str]:
    """What no skill answers: open questions are not known, anything else is not understood."""
    kind = rng.random()
    if kind < 0.4:
        opening = rng.choice(["What is", "Who is", "Why is", "When was", "Where is", "How is", "Why", "How many", "What", "Who", "Is"])
        return f"{opening} {_babble(rng, rng.randint(1, 6))}?", UNKNOWN
    if kind < 0.6:
        letters = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(1, 8)))
        return rng.choice([letters, rng.choice(["ok", "yes", "no", "ok", "Ok", "Yes", "No", "OK"]), rng.choice("?!.")]), NOT_UNDERSTOOD
    text = _babble(rng, rng.randint(1, 8))
    return (text if rng.random() < 0.5 else text.capitalize()) + rng.choice(["", ".", "!"]), NOT_UNDERSTOOD


def small_talk(rng: Random) -> tuple[str, str]:
    kind = rng.random()
    if kind < 0.15:
        return casual(rng, rng.choice(CANNOT)(rng)), I_CANNOT
    if kind < 0.25:
        return casual(rng, rng.choice(DO_NOT_KNOW)(rng)), UNKNOWN
    questions, answer = rng.choice(CHAT)
    return casual(rng, rng.choice(questions)), answer


def out_of_reach(rng: Random) -> tuple[str, str]:
    while True:
        question, answer = _out_of_reach(rng)
        if question.rstrip("?.!").lower() not in _ALL_TALK:
            return question, answer


_ALL_TALK = {question.rstrip("?.!").lower() for questions, _ in CHAT for question in questions}


# How often each skill is drawn for a turn. Short answers give little to learn from, hence the weight on sums.
TURN_WEIGHTS = {
    addition: 18, subtraction: 18, large_addition: 7, large_subtraction: 7, multiplication: 7, sort_words: 14,
    sort_other_words: 4, sort_numbers: 11, copy_words: 7, copy_numbers: 3, copy_text: 2, json_record: 9, count_up: 2,
    small_talk: 4, out_of_reach: 2,
}
_TURN_SKILLS, _TURN_SHARES = list(TURN_WEIGHTS), list(TURN_WEIGHTS.values())


def skill_turn(rng: Random) -> tuple[str, str]:
    return rng.choices(_TURN_SKILLS, _TURN_SHARES)[0](rng)


# ---------------------------------------------------------------------------------------------------------------------
# Samples
# ---------------------------------------------------------------------------------------------------------------------

def ask_about(rng: Random, document: Document, question: str) -> str:
    return rng.choice(["{d}\n\n{q}", "{d}\n\n{q}", "Read this text.\n\n{d}\n\n{q}", "{d}\n\nQuestion: {q}", "{q}\n\n{d}"]
                      if len(document.facts) < 12 else
                      ["{d}\n\n{q}", "{d}\n\n{q}", "Read this text.\n\n{d}\n\n{q}", "{d}\n\nQuestion: {q}"]
                      ).format(d=document.text, q=question)


def message(role: str, content: str) -> dict:
    return {"role": role, "content": content}


def document_chat(rng: Random, document: Document, turns: list[tuple[str, str]]) -> list[dict]:
    """The document in the system prompt, in the first question, or handed over first; then question after question."""
    first_question, first_answer = turns[0]
    where = rng.random()
    if where < 0.3:
        opening = rng.choice(["", "", "Answer questions about this text.\n\n"])
        messages = [message("system", opening + document.text), message("user", first_question)]
    else:
        messages = [message("system", rng.choice(SYSTEM_PROMPTS))] if rng.random() < 0.3 else []
        if where < 0.4:
            messages += [message("user", document.text), message("assistant", "Thank you. What would you like to know?"),
                         message("user", first_question)]
        else:
            messages.append(message("user", ask_about(rng, document, first_question)))
    messages.append(message("assistant", first_answer))
    for question, answer in turns[1:]:
        messages += [message("user", question), message("assistant", answer)]
    return messages


def skill_chat(rng: Random, turns: list[tuple[str, str]]) -> list[dict]:
    messages = [message("system", rng.choice(SYSTEM_PROMPTS))] if rng.random() < 0.4 else []
    for question, answer in turns:
        messages += [message("user", question), message("assistant", answer)]
    return messages


def plain_prompt(turns: list[tuple[str, str]], text: str = "") -> str:
    """Completion format: worked examples, then the last question unanswered. Its answer follows after one space."""
    blocks = [text] if text else []
    blocks += [f"Question: {question}\nAnswer: {answer}" for question, answer in turns[:-1]]
    blocks.append(f"Question: {turns[-1][0]}\nAnswer:")
    return "\n\n".join(blocks)
