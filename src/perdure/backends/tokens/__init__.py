"""Token counts, exact or estimated.

- A counter is a `protocol.Tokenizer`. It is exact if it counts as the model does; `llama` is.
- An estimate (`estimate`) counts by script or by another model's vocabulary.
- A correction scales an estimate by what a backend reported for earlier prompts.

Open `estimate` first.
"""
